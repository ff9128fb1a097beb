"""Clients in processes that fork: they answer, or say at once that they can't."""

import subprocess
import sys

import pytest

from tarn.testing import Server

# What a child answers, or the name of what it raises. One that hangs or dies says so, too.
BEGIN = """
import asyncio, os, signal, socket, sys, threading
from tarn import FeatureClient, aio

target = sys.argv[1]

def in_child(work):
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(30)
        try:
            said = repr(work())
        except BaseException as e:
            said = type(e).__name__ + ": " + str(e)
        os.write(write, said.encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        said = answer.read()
    _, status = os.waitpid(pid, 0)
    print(said or f"ended with {status}", flush=True)

def ask(client):
    return client.get(["4"], ["visits"])["4"]["visits"]

async def ask_asyncio(client=None):
    if client is not None:
        return (await client.get(["4"], ["visits"]))["4"]["visits"]
    async with aio.FeatureClient(target, deadline=10) as own:
        return (await own.get(["4"], ["visits"]))["4"]["visits"]
"""

ANSWER = "4.0"
FORKED = "ForkedError: this process ("


def run(server: Server, script: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + script, server.target],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("use", ["pass", "ask(client)", "ask(client); client.close()"])
def test_a_child_connects_anew(server: Server, use: str) -> None:
    said = run(
        server,
        f"""
client, other = (FeatureClient(target, deadline=10) for _ in range(2))
ask(other)
{use}
for _ in range(3):
    in_child(lambda: ask(other))
    in_child(lambda: ask(FeatureClient(target, deadline=10)))
    in_child(lambda: asyncio.run(ask_asyncio()))
in_child(other.close)
print(ask(other))
""",
    )
    assert said == [ANSWER] * 9 + ["None", ANSWER]


def test_an_asyncio_client_that_is_not_open_yet_or_any_more_works_in_a_child(
    server: Server,
) -> None:
    said = run(
        server,
        """
client = aio.FeatureClient(target, deadline=10)
in_child(lambda: asyncio.run(ask_asyncio(client)))
asyncio.run(ask_asyncio())
in_child(lambda: asyncio.run(ask_asyncio(client)))
print(asyncio.run(ask_asyncio(client)))
""",
    )
    assert said == [ANSWER] * 3


def test_after_a_fork_with_an_open_asyncio_client_asyncio_says_that_it_does_not_work(
    server: Server,
) -> None:
    said = run(
        server,
        """
async def main():
    client = aio.FeatureClient(target, deadline=10)
    await ask_asyncio(client)
    for _ in range(3):
        in_child(lambda: asyncio.new_event_loop().run_until_complete(ask_asyncio(client)))
        in_child(lambda: asyncio.new_event_loop().run_until_complete(ask_asyncio()))
    print(await ask_asyncio(client))
asyncio.run(main())
""",
    )
    assert len(said) == 7
    for line in said[:-1]:
        # Python itself allows no loop where one runs.
        assert line.startswith((FORKED, "RuntimeError: Cannot run the event loop while another"))
    assert said[-1] == ANSWER


def test_after_a_fork_during_a_call_every_client_says_that_it_does_not_work(
    server: Server,
) -> None:
    said = run(
        server,
        """
silent = socket.create_server(("127.0.0.1", 0))
waiting = FeatureClient("127.0.0.1:%d" % silent.getsockname()[1], deadline=60)
client = FeatureClient(target, deadline=10)
ask(client)
threading.Thread(target=lambda: ask(waiting), daemon=True).start()
kept = silent.accept()
for _ in range(3):
    in_child(lambda: ask(client))
    in_child(lambda: ask(FeatureClient(target, deadline=10)))
    in_child(lambda: asyncio.run(ask_asyncio()))
in_child(client.close)
print(ask(client), flush=True)
os._exit(0)
""",
    )
    assert len(said) == 11
    for line in said[:-2]:
        assert line.startswith(FORKED)
        assert "was forked while calls were under way" in line
    assert said[-2:] == ["None", ANSWER]


def test_no_child_hangs_whatever_the_process_does_when_it_forks(server: Server) -> None:
    said = run(
        server,
        """
client = FeatureClient(target, deadline=10)
def ask_on():
    while True:
        ask(client)
ask(client)
for _ in range(4):
    threading.Thread(target=ask_on, daemon=True).start()
for _ in range(20):
    in_child(lambda: ask(client))
os._exit(0)
""",
    )
    assert len(said) == 20
    for line in said:
        assert line == ANSWER or line.startswith(FORKED)
