"""Talks to the echo example through websockets."""

from checks import SIZES, WS, binary, run, same, text
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus


def open_(address, path="/", **options):
    return connect(f"{WS}://{address}{path}", max_size=None, proxy=None, **options)


async def client_gets_text_back(address, deflate):
    async with open_(address) as ws:
        for size in SIZES:
            await ws.send(text(size))
            same(await ws.recv(), text(size))


async def client_gets_binary_back(address, deflate):
    async with open_(address, compression=None) as ws:
        for size in SIZES:
            await ws.send(binary(size))
            same(await ws.recv(), binary(size))


async def client_gets_many_messages_back_in_order(address, deflate):
    async with open_(address) as ws:
        for number in range(500):
            await ws.send(str(number))
        same([await ws.recv() for _ in range(500)], [str(number) for number in range(500)])


async def client_gets_fragments_back_as_one_message(address, deflate):
    async with open_(address) as ws:
        await ws.send(["", "One ", "é", "", "€"])
        same(await ws.recv(), "One é€")
        await ws.send([binary(70_000)] * 10)
        same(await ws.recv(), binary(70_000) * 10)


async def client_hears_a_pong_for_its_ping(address, deflate):
    async with open_(address) as ws:
        for payload in [b"", b"payload", bytes(125)]:
            await (await ws.ping(payload))


async def client_is_given_the_subprotocol_it_asks_for(address, deflate):
    async with open_(address, subprotocols=["other", "echo"]) as ws:
        same(ws.subprotocol, "echo")


async def client_is_given_no_subprotocol_unasked(address, deflate):
    async with open_(address) as ws:
        same(ws.subprotocol, None)
    async with open_(address, subprotocols=["other"]) as ws:
        same(ws.subprotocol, None)


async def client_is_given_compression_only_where_there_is_some(address, deflate):
    async with open_(address) as ws:
        same([extension.name for extension in ws.protocol.extensions], ["permessage-deflate"] if deflate else [])
    async with open_(address, compression=None) as ws:
        same(ws.protocol.extensions, [])


async def client_hears_its_close_code_back(address, deflate):
    for code, reason in [(1000, ""), (1000, "bye"), (1001, "é" * 61), (3000, ""), (4999, "x")]:
        async with open_(address) as ws:
            await ws.close(code, reason)
            same((ws.close_code, ws.protocol.close_rcvd_then_sent), (code, False))


async def closed_with(ws):
    try:
        await ws.recv()
    except ConnectionClosed as closed:
        return closed.rcvd.code
    raise AssertionError("a message came back")


async def client_hears_1007_for_text_that_is_not_utf8(address, deflate):
    async with open_(address) as ws:
        await ws.send(b"\xff", text=True)
        same(await closed_with(ws), 1007)


async def client_hears_1009_for_a_message_too_big(address, deflate):
    async with open_(address) as ws:
        await ws.send([binary(8 << 20)] * 2 + [b"x"])
        same(await closed_with(ws), 1009)


async def client_of_a_stranger_is_refused(address, deflate):
    try:
        async with open_(address, origin="http://stranger.example"):
            raise AssertionError("accepted")
    except InvalidStatus as refused:
        same(refused.response.status_code, 403)


run([
    client_gets_text_back,
    client_gets_binary_back,
    client_gets_many_messages_back_in_order,
    client_gets_fragments_back_as_one_message,
    client_hears_a_pong_for_its_ping,
    client_is_given_the_subprotocol_it_asks_for,
    client_is_given_no_subprotocol_unasked,
    client_is_given_compression_only_where_there_is_some,
    client_hears_its_close_code_back,
    client_hears_1007_for_text_that_is_not_utf8,
    client_hears_1009_for_a_message_too_big,
    client_of_a_stranger_is_refused,
])
