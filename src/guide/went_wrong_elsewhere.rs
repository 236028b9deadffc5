//! What went wrong elsewhere, and what this crate does instead. The chapter lists 29 faults of
//! other projects, by subject, with the tests that guard this crate.
//!
//! Each entry names the project, mostly with its advisory or issue, and says what happened. After
//! "Here" it says what this crate does instead. Most entries end with a file of `tests/` and the
//! names of its tests. Facts are of November 2026.
//!
//! # Heads and handshakes
//!
//! **1. A head that was parsed again for every piece.** tungstenite, CVE-2023-43669: a header of 20
//! MB cost thousands of passes. Here a head beyond 16 KiB gets 431. The scanner goes on where it
//! stopped, so the work is linear.
//! `http1_head`: `field_row_01_a_head_costs_linear_work_however_it_arrives`.
//!
//! **2. Too many header fields crashed the server.** ws for node, CVE-2024-37890. Here more than
//! 100 fields are answered with 431, and an absent field is an `Option`.
//! `http1_head`: `field_row_02_two_thousand_headers_are_431`.
//!
//! **3. Header values that took quadratic time.** ws for node, CVE-2021-32640. Here lists are split
//! in one pass, without regular expressions.
//! `websocket_handshake`: `field_row_03_subprotocols_are_read_in_linear_time`;
//! `websocket_deflate_negotiation`: `field_row_03_server_reads_a_long_offer_in_linear_time`;
//! `websocket_client_handshake`: `field_row_03_client_reads_extensions_in_linear_time`.
//!
//! **16. Messages with two readings.** uWebSockets #1497 and #1898, Bun PR #28838: a proxy and the
//! server behind it could disagree about where a request ends. Here each ambiguity is refused with
//! 400 or 501, and the connection closes.
//! `http1_head`: `field_row_16_no_ambiguous_message_has_a_reading`;
//! `http1_body`: `field_row_16_a_chunked_body_has_one_reading`.
//!
//! **17. Upgrades that RFC 6455 forbids were accepted.** Some servers look at the key alone. Here a
//! handshake by POST, in HTTP/1.0 or without `Upgrade` gets 400, and a wrong version 426.
//! `websocket_handshake`: `field_row_17_upgrades_that_the_rfc_forbids_are_refused`;
//! `http1_response`: `field_row_17_an_unsupported_version_is_told_the_right_one`.
//!
//! **18. A deferred upgrade used freed memory.** uWebSockets #1583. Here a `ConnId` names one
//! exchange: a late answer to a peer that left does nothing. Frames that came with the handshake
//! wait for the answer.
//! `sim_websocket`: `field_row_18_server_upgrades_later_without_losing_or_inventing_frames`.
//!
//! **20. Any web page could open a WebSocket.** airdcpp #542, red5 #470. Here the `Origin` must be
//! the host of the request unless the program names others; another one gets 403.
//! `websocket_handshake`: `field_row_20_pages_of_other_hosts_are_refused`.
//!
//! **21. Upgrades skipped the authentication.** Next.js GHSA-c4j6-fc7j-m34r, ecnepsnai/web
//! SNYK-1314357. Here an upgrade is a request like any other: a handler at `/` that is registered
//! first sees all of them. A closure for plain HTTP sees them with
//! [`Zone::upgrades`](crate::Zone::upgrades).
//! `sim_zones`: `field_row_21_zone_at_the_root_guards_pages_and_upgrades_alike`.
//!
//! **29. Closing inside the upgrade handler.** libwebsockets is reported to have used freed memory
//! when a handler did so; we have not verified the advisory. Here nothing is freed inside a
//! callback.
//! `sim_websocket`: `field_row_29_server_survives_a_handler_that_closes_while_it_upgrades`.
//!
//! # Frames and lengths
//!
//! **4. A million tiny fragments.** ws for node, CVE-2026-48779: 131,000 fragments of one byte held
//! 13.5 MB. Here fragments join one buffer, which holds at most twice its payload.
//! `websocket_memory`: `field_row_04_a_million_fragments_cost_at_most_twice_their_payload`. There
//! is no limit for all connections together: see [`security`](super::security).
//!
//! **5. A Close frame sent uninitialised memory.** ws for node, CVE-2026-45736. Here a reason is a
//! `&str`, cut at 123 bytes, and safe code cannot read what was not written.
//! `websocket_frame`: `field_row_05_close_reason_of_every_length_is_written_exactly`.
//!
//! **6. A length overflowed past the limit.** gorilla CVE-2020-27813; ws for node allocated what
//! a ping declared. Here lengths are `u64` until the limit has been compared.
//! `websocket_memory`: `field_row_06_a_declared_length_allocates_nothing`.
//!
//! **7. A declared length was allocated.** gobwas #223, sipgo GHSA-8h6x-h86x-75wh. Here memory
//! follows the bytes that arrive: a thousand declared messages of 15 MiB cost less than 1 KiB each.
//! `sim_memory`: `field_row_07_server_allocates_nothing_for_what_is_only_declared`.
//!
//! **14. A declared length was allocated, as fuzzing found.** The crate `websocket`,
//! CVE-2022-35922. The tests of entries 6 and 7 cover it, and so do the fuzz targets `frame_header`
//! and `protocol`.
//!
//! **15. A crafted frame panicked before authentication.** NATS GHSA-pq2q-rcw4-3hr6. Here each of
//! the 65,536 values of the first two bytes has one verdict in each role.
//! `websocket_state`: `field_row_15_every_two_byte_header_has_one_verdict_in_both_roles`.
//!
//! **19. A reserved bit threw an exception.** engine.io. Here a violation is a value, not an error:
//! the peer gets Close 1002 and the handler one call of `close`. `websocket_state`:
//! `field_row_19_reserved_bits_are_a_violation_in_every_phase`.
//!
//! **24. Reading out of bounds where no limit was set.** libsoup CVE-2026-0716. Here "no limit" is
//! the largest number, on the same path.
//! `websocket_state`: `field_row_24_every_boundary_holds_without_a_limit`.
//!
//! **25. Sums of lengths wrapped around.** gpac #3860, nopoll #84, ios-webkit-debug-proxy PR #435.
//! Here a sum of lengths that overflows counts as too long.
//! `websocket_state`: `field_row_25_lengths_beyond_the_address_space_never_wrap`.
//!
//! # Compression
//!
//! **8. A client trusted its server.** undici CVE-2026-1528 (a 64-bit length), CVE-2026-1526 (no
//! limit for inflated data), CVE-2026-2229 (a window size out of range). Here an answer outside the
//! offer fails the handshake, and one reader of frames serves both roles.
//! `websocket_deflate_negotiation`: `client_judges_the_answer_by_its_offer`;
//! `websocket_client_handshake`: `field_row_08_client_passes_extension_parameters_on`.
//!
//! **9. Compression bombs.** tornado PR #2391, websockets for python CVE-2018-1000518, centrifugo
//! PR #1162 and others. Here inflating stops at `max_message`, with Close 1009.
//! `websocket_deflate_memory`: `field_row_09_bombs_stop_at_the_limit`.
//!
//! **10. Inflating wrote out of bounds.** civetweb CVE-2026-29035. Here corrupt data is Close 1007.
//! `websocket_deflate`: `field_row_10_inflater_refuses_abuse_of_blocks`; fuzz target `deflate`.
//!
//! **11. Deflating corrupted memory.** zlib CVE-2018-25032, in Boost.Beast PR #2489. Here the
//! compressor is zlib-rs; messages with many distances return intact at every level and window.
//! `websocket_deflate`: `field_row_11_deflater_round_trips_at_every_level_and_window`.
//!
//! # Memory and time under attack
//!
//! **12. Comparing a password took longer the more of it was right.** websockets for python,
//! CVE-2021-33880. This crate has no helper for Basic authentication, so there is nothing to test.
//! A handler that compares secrets must do so in constant time itself.
//!
//! **13. Output without bounds.** ws-rs RUSTSEC-2020-0043. Here an outbox has a limit and a policy;
//! the other receivers notice nothing.
//! `sim_backpressure`: `field_row_13_publish_drops_the_slow_and_reaches_the_others`.
//!
//! **22. Floods of pings and empty frames.** Attacks in the manner of CVE-2023-44487. Here at most
//! 256 frames of one connection are handled in a turn of the loop, and at most one pong waits for
//! it.
//! `sim_websocket`: `field_row_22_server_serves_others_during_a_flood`; all of `sim_fairness`.
//!
//! **23. Slow peers of every kind.** websocketpp #789. Here head, body, response and close
//! handshake each have a deadline. A body and the reader of a response must also keep a lowest
//! rate.
//! `sim_deadlines`: `field_row_23_server_gives_a_head_no_more_time_for_coming_slowly` and
//! `field_row_23_server_drops_the_reader_of_a_response_that_stalls`;
//! `sim_rates`: `field_row_23_body_must_come_at_its_rate`;
//! `sim_close`: `field_row_23_server_waits_for_the_answer_to_its_close_until_its_deadline`.
//!
//! **26. Subscribers that no longer existed.** nchan #719. Here a connection leaves its topics when
//! it unsubscribes, and right after its `close`.
//! `sim_topics`: `field_row_26_topics_have_exactly_the_members_that_joined`, a property test.
//!
//! **27. A full server spun at 100 % CPU.** ws-rs #261, #195. Here accepting pauses, a descriptor
//! held in reserve lets newcomers be answered with 503, and the next free descriptor ends the
//! pause. `sockets`: `field_row_27_server_without_descriptors_turns_away_and_recovers`.
//!
//! **28. A message from another thread waited for seconds.** uWebSockets.js #197, uWebSockets #936.
//! Here the first of several waiting calls wakes the loop.
//! `remote`: `field_row_28_remote_wakes_a_parked_loop`.
