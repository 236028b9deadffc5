"""Talks to the echo example through aiohttp: WebSocket and plain HTTP, side by side in one session."""

import asyncio

from aiohttp import ClientSession, TCPConnector, TraceConfig, WSMsgType, WSServerHandshakeError
from checks import HTTP, MAX_BODY, SIZES, WS, binary, run, same, text


def session(**options):
    return ClientSession(connector=TCPConnector(limit=1), **options)


class Socket:
    """A session and one WebSocket of it."""

    def __init__(self, address, **options):
        self.url, self.options, self.session = f"{WS}://{address}/", options, session()

    async def __aenter__(self):
        self.ws = await self.session.ws_connect(self.url, max_msg_size=0, **self.options)
        return self.ws

    async def __aexit__(self, *_):
        await self.ws.close()
        await self.session.close()


async def client_gets_text_back(address, deflate):
    async with Socket(address, compress=15) as ws:
        for size in SIZES:
            await ws.send_str(text(size))
            same(await ws.receive_str(), text(size))


async def client_gets_binary_back(address, deflate):
    async with Socket(address) as ws:
        for size in SIZES:
            await ws.send_bytes(binary(size))
            same(await ws.receive_bytes(), binary(size))


async def client_hears_a_pong_for_its_ping(address, deflate):
    async with Socket(address, autoping=False) as ws:
        await ws.ping(b"payload")
        pong = await ws.receive()
        same((pong.type, bytes(pong.data)), (WSMsgType.PONG, b"payload"))


async def client_is_given_the_subprotocol_it_asks_for(address, deflate):
    async with Socket(address, protocols=("other", "echo")) as ws:
        same(ws.protocol, "echo")


async def client_is_given_compression_only_where_there_is_some(address, deflate):
    async with Socket(address, compress=15) as ws:
        same(ws.compress > 0, deflate)


async def client_hears_its_close_code_back(address, deflate):
    for code in [1000, 1001, 3000, 4999]:
        async with Socket(address, autoclose=False) as ws:
            await ws.send_frame(code.to_bytes(2, "big") + b"bye", WSMsgType.CLOSE)
            message = await ws.receive()
            same((message.type, message.data), (WSMsgType.CLOSE, code))


async def client_hears_1007_for_text_that_is_not_utf8(address, deflate):
    async with Socket(address, autoclose=False) as ws:
        await ws.send_frame(b"\xff", WSMsgType.TEXT)
        message = await ws.receive()
        same((message.type, message.data), (WSMsgType.CLOSE, 1007))


async def client_hears_1009_for_a_message_too_big(address, deflate):
    async with Socket(address, autoclose=False) as ws:
        await ws.send_bytes(bytes((16 << 20) + 1))
        message = await ws.receive()
        same((message.type, message.data), (WSMsgType.CLOSE, 1009))


async def client_of_a_stranger_is_refused(address, deflate):
    async with session() as http:
        try:
            await http.ws_connect(f"{WS}://{address}/", origin="http://stranger.example")
            raise AssertionError("accepted")
        except WSServerHandshakeError as refused:
            same(refused.status, 403)


async def client_gets_pages_over_one_connection(address, deflate):
    opened = []
    trace = TraceConfig()

    async def note(*_):
        opened.append(1)

    trace.on_connection_create_end.append(note)
    async with session(trace_configs=[trace]) as http:
        for path in ["/", "/a/b?c=d", "/caf%C3%A9"]:
            async with http.get(f"{HTTP}://{address}{path}") as response:
                same((response.status, len(await response.read())), (200, int(response.headers["content-length"])))
        async with http.head(f"{HTTP}://{address}/") as response:
            same((response.status, await response.read()), (200, b""))
        async with http.get(f"{HTTP}://{address}/") as response:
            same(len(await response.read()) > 0, True)
    same(len(opened), 1)


async def client_gets_its_body_back(address, deflate):
    async with session() as http:
        for size in [*(size for size in SIZES if size < MAX_BODY), MAX_BODY]:
            headers = {"Content-Type": "application/x-test"}
            async with http.post(f"{HTTP}://{address}/", data=binary(size), headers=headers) as response:
                same((response.status, response.content_type), (200, "application/x-test"))
                same(await response.read(), binary(size))


async def client_gets_its_chunks_back(address, deflate):
    async def chunks():
        for size in [1, 100, 10_000, 100_000]:
            yield binary(size)
            await asyncio.sleep(0)

    async with session() as http:
        for _ in range(3):
            async with http.post(f"{HTTP}://{address}/", data=chunks()) as response:
                same(await response.read(), b"".join([chunk async for chunk in chunks()]))


async def client_sends_its_body_when_told_to_continue(address, deflate):
    async with session() as http:
        for data in [binary(1000), binary(MAX_BODY)]:
            async with http.post(f"{HTTP}://{address}/", data=data, expect100=True) as response:
                same((response.status, await response.read()), (200, data))


async def client_keeps_a_body_too_big_to_itself(address, deflate):
    async with session() as http:
        async with http.post(f"{HTTP}://{address}/", data=bytes(MAX_BODY + 1), expect100=True) as response:
            same(response.status, 413)


async def client_is_told_the_methods(address, deflate):
    async with session() as http:
        async with http.delete(f"{HTTP}://{address}/") as response:
            same((response.status, response.headers["allow"]), (405, "GET, HEAD, POST"))


run([
    client_gets_text_back,
    client_gets_binary_back,
    client_hears_a_pong_for_its_ping,
    client_is_given_the_subprotocol_it_asks_for,
    client_is_given_compression_only_where_there_is_some,
    client_hears_its_close_code_back,
    client_hears_1007_for_text_that_is_not_utf8,
    client_hears_1009_for_a_message_too_big,
    client_of_a_stranger_is_refused,
    client_gets_pages_over_one_connection,
    client_gets_its_body_back,
    client_gets_its_chunks_back,
    client_sends_its_body_when_told_to_continue,
    client_keeps_a_body_too_big_to_itself,
    client_is_told_the_methods,
])
