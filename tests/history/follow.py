"""Follows the topic through websockets: follow.py HOST FOLLOWERS LAST. Each follower opens a lost line again after the
last id that it has seen, until it sees the text LAST. Prints a line of JSON for each: what it saw, and its gaps."""

import asyncio
import json
import random
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException


async def follow(host, last):
    seen, gaps, after = [], [], "0-0"
    while True:
        try:
            async with connect(f"ws://{host}/websocket?after={after}", proxy=None, close_timeout=1) as socket:
                async for text in socket:
                    message = json.loads(text)
                    if message["type"] == "gap":
                        gaps.append(len(seen))
                    elif message["type"] == "message":
                        after = message["id"]
                        seen.append([after, message["text"]])
                        if message["text"] == last:
                            return {"seen": seen, "gaps": gaps}
        except (OSError, EOFError, WebSocketException):
            pass
        await asyncio.sleep(0.02 * (0.5 + random.random()))


async def main(host, followers, last):
    for told in await asyncio.gather(*(follow(host, last) for _ in range(int(followers)))):
        print(json.dumps(told))


asyncio.run(main(*sys.argv[1:]))
