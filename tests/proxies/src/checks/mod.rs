//! The checks, by their names.

mod addresses;
mod clients;
mod events;
mod examples;
mod hosts;
mod keep_alive;
mod prefixes;
mod proxy_protocol;
mod timeouts;
mod uploads;
mod upstreams;
mod websockets;

use std::sync::Arc;

use switchboard::Options;

use crate::proxy::{Config, Kind, Proxy, Rig};
use crate::site::Site;

pub struct Check {
    pub name: String,
    #[expect(clippy::type_complexity, reason = "a name for it would be no shorter")]
    pub run: Box<dyn Fn(&Arc<Rig>) + Send + Sync>,
}

/// A check of each of some proxies.
fn of(kinds: &[Kind], name: &'static str, run: fn(&Arc<Rig>, Kind)) -> impl Iterator<Item = Check> {
    kinds.iter().map(move |&kind| {
        let name = format!("{kind:?}: {name}").replace('_', " ");
        Check { name, run: Box::new(move |rig| run(rig, kind)) }
    })
}

/// A list of checks: the proxies, and the names of functions.
macro_rules! checks {
    ($($kinds:expr => $module:ident::{$($run:ident),+ $(,)?}),+ $(,)?) => {
        /// All checks, those that take long first.
        pub fn all() -> Vec<Check> {
            let mut all = Vec::new();
            $($(all.extend(of(&$kinds, stringify!($run), $module::$run));)+)+
            all
        }
    };
}

use Kind::{Haproxy, HaproxyTcp, Nginx, NginxStream};

checks! {
    Kind::HTTP => keep_alive::{no_request_meets_a_close},
    Kind::HTTP => examples::{chat_talks_in_a_browser},
    [Nginx, Haproxy] => timeouts::{
        silent_websocket_survives_by_pings, without_pings_the_proxy_cuts_a_silent_websocket,
        quiet_event_stream_survives_by_comments,
    },
    [Haproxy] => upstreams::{health_checks_are_not_reported},
    [HaproxyTcp] => proxy_protocol::{local_health_checks_are_not_reported},
    Kind::HTTP => upstreams::{
        unix_socket_serves_as_tcp_does, echo_takes_the_unix_socket_of_its_option,
    },
    [NginxStream, HaproxyTcp, Haproxy] => proxy_protocol::{header_names_the_client},
    [NginxStream, HaproxyTcp] => proxy_protocol::{
        header_is_the_first_hop, server_ends_tls_behind_the_header, client_cannot_claim_an_address,
        header_to_a_server_without_the_option_is_refused,
        request_without_the_header_is_closed,
    },
    Kind::HTTP => websockets::{messages_of_all_sizes_are_echoed, closing_code_reaches_both_sides},
    Kind::HTTP => hosts::{host_is_kept_and_pages_of_the_host_are_accepted},
    [Nginx] => hosts::{
        without_host_pages_are_refused_and_told_why, without_host_the_upstream_is_no_served_host,
        host_variable_loses_the_port,
    },
    [Nginx] => websockets::{
        without_the_version_the_refusal_names_it, without_upgrade_fields_the_refusal_names_them,
        with_defaults_alone_the_refusal_names_the_version,
    },
    Kind::HTTP => addresses::{
        client_has_its_own_address_whatever_it_claims, each_request_has_the_address_of_its_client,
        without_trust_all_clients_are_the_proxy, limit_of_an_address_holds_for_each_client,
        forwarded_of_the_client_is_removed,
    },
    [Nginx] => addresses::{
        without_the_line_a_client_is_who_it_claims_to_be, addresses_of_a_chain_are_walked,
    },
    Kind::HTTP => prefixes::{prefix_is_kept, prefix_is_stripped},
    [Nginx] => prefixes::{stripping_decodes_the_path},
    Kind::HTTP => events::{
        each_event_arrives_at_once, compressed_site_holds_no_event_back, pieces_arrive_at_once,
    },
    [Nginx] => events::{
        without_the_field_nginx_holds_pieces_back, event_stream_works_over_http_1_0,
    },
    Kind::HTTP => uploads::{
        big_upload_arrives, chunked_upload_arrives, upload_that_is_refused_early_gets_its_413,
        client_that_waits_for_100_gets_it,
    },
    [Nginx] => uploads::{
        big_upload_arrives_in_whole, chunked_upload_arrives_over_http_1_0,
        without_the_limit_nginx_answers_413,
    },
    Kind::HTTP => clients::{
        aborted_websocket_is_noticed, aborted_event_stream_is_noticed,
        aborted_wait_for_an_answer_is_noticed,
        half_closed_wait_for_an_answer_is_noticed, drain_reaches_clients_as_1001,
    },
    [Nginx] => clients::{without_the_option_an_aborted_wait_goes_on},
    [Haproxy] => clients::{without_the_line_an_aborted_stream_goes_on},
    Kind::HTTP => examples::{echo_takes_the_origin_of_its_option},
    [NginxStream, HaproxyTcp] => examples::{echo_takes_the_header_of_its_option},
    [Nginx] => examples::{chat_takes_the_host_of_its_option},
}

/// A server with options, and the file that people copy in front of it.
fn both(rig: &Arc<Rig>, kind: Kind, options: Options) -> (Site, Proxy) {
    let site = Site::start(options);
    let proxy = start(rig.config(kind), &site);
    (site, proxy)
}

fn start(config: Config, site: &Site) -> Proxy {
    config.start(&site.address.to_string()).unwrap()
}
