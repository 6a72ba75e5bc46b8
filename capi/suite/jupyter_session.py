"""A Jupyter session: a kernel in a process of its own, and a client, each with the library that is judged under its pyzmq.
Run by suite_jupyter.py; prints `name: pass` or `name: fail` for each thing that was tried.
"""

import asyncio
import queue
import sys
import time
import traceback

from jupyter_client.manager import AsyncKernelManager, KernelManager

# Seconds for each answer.
LIMIT = 60


def texts(client, code, **options):
    """Runs code, and returns what it printed, its value, and the reply."""
    printed, values = [], []

    def hear(message):
        content = message["content"]
        if message["msg_type"] == "stream":
            printed.append(content["text"])
        elif message["msg_type"] == "execute_result":
            values.append(content["data"]["text/plain"])

    reply = client.execute_interactive(code, timeout=LIMIT, output_hook=hear, **options)
    return "".join(printed), "".join(values), reply["content"]


def prints(client, _):
    assert texts(client, "for i in range(100): print(i)")[0] == "".join(f"{i}\n" for i in range(100))


def computes(client, _):
    assert texts(client, "a = 6\na * 7")[1] == "42"


def fails(client, _):
    reply = texts(client, "1 / 0")[2]
    assert (reply["status"], reply["ename"]) == ("error", "ZeroDivisionError"), reply


def prints_much(client, _):
    assert len(texts(client, "print('x' * 5_000_000)")[0]) == 5_000_001


def asks(client, _):
    printed, value, _ = texts(client, "print(input('who? '))", allow_stdin=True,
                              stdin_hook=lambda message: client.input("somebody"))
    assert printed == "somebody\n", (printed, value)


def completes(client, _):
    reply = client.complete("pri", reply=True, timeout=LIMIT)
    assert "print" in reply["content"]["matches"], reply


def tells_what_it_is(client, _):
    reply = client.kernel_info(reply=True, timeout=LIMIT)
    assert reply["content"]["implementation"] == "ipython", reply


def remembers(client, _):
    texts(client, "remembered = 1")
    reply = client.history(hist_access_type="tail", n=1, raw=True, output=False, reply=True, timeout=LIMIT)
    assert "remembered" in str(reply["content"]["history"]), reply


def beats(client, _):
    began = time.monotonic()
    while not client.hb_channel.is_beating():
        assert time.monotonic() - began < LIMIT
        time.sleep(0.1)


def is_interrupted(client, manager):
    number = client.execute("import time\nprint('begun', flush=True)\nwhile True: time.sleep(0.05)")
    while True:
        message = client.get_iopub_msg(timeout=LIMIT)
        if message["msg_type"] == "stream" and message["parent_header"]["msg_id"] == number:
            break
    manager.interrupt_kernel()
    while True:
        reply = client.get_shell_msg(timeout=LIMIT)
        if reply["parent_header"].get("msg_id") == number:
            assert reply["content"]["ename"] == "KeyboardInterrupt", reply
            return


def is_restarted(client, manager):
    manager.restart_kernel(now=True)
    client.wait_for_ready(timeout=LIMIT)
    assert texts(client, "'remembered' in globals()")[1] == "False"


def many_at_once(client, _):
    numbers = [client.execute(f"{i} + 1") for i in range(200)]
    replies = {}
    while len(replies) < len(numbers):
        reply = client.get_shell_msg(timeout=LIMIT)
        replies[reply["parent_header"].get("msg_id")] = reply["content"]["status"]
    assert [replies[n] for n in numbers] == ["ok"] * len(numbers)


THINGS = [prints, computes, fails, prints_much, asks, completes, tells_what_it_is, remembers, beats, many_at_once,
          is_interrupted, is_restarted]


def tell(name, act):
    try:
        act()
        print(f"{name}: pass", flush=True)
    except BaseException:  # noqa: BLE001 - whatever it is, it is told, and the next thing is tried
        traceback.print_exc()
        print(f"{name}: fail", flush=True)


def session(transport):
    manager = KernelManager(kernel_name="python3", transport=transport)
    if transport == "ipc":
        manager.ip = f"./{transport}-kernel"
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    try:
        tell(f"{transport} starts", lambda: client.wait_for_ready(timeout=LIMIT))
        for thing in THINGS:
            tell(f"{transport} {thing.__name__.replace('_', ' ')}", lambda thing=thing: thing(client, manager))
    finally:
        client.stop_channels()
        tell(f"{transport} ends", lambda: manager.shutdown_kernel())


async def asynchronous():
    manager = AsyncKernelManager(kernel_name="python3")
    await manager.start_kernel()
    client = manager.client()
    client.start_channels()
    try:
        await client.wait_for_ready(timeout=LIMIT)
        for i in range(20):
            number = client.execute(f"print({i})")
            printed = ""
            while True:
                message = await client.get_iopub_msg(timeout=LIMIT)
                if message["parent_header"].get("msg_id") != number:
                    continue
                if message["msg_type"] == "stream":
                    printed += message["content"]["text"]
                elif message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                    break
            assert printed == f"{i}\n", printed
        try:
            await client.get_stdin_msg(timeout=0.1)
            raise AssertionError("nobody has asked")
        except queue.Empty:
            pass
    finally:
        client.stop_channels()
        await manager.shutdown_kernel()


for transport in ("tcp", "ipc"):
    session(transport)
tell("asyncio", lambda: asyncio.run(asynchronous()))
sys.exit(0)
