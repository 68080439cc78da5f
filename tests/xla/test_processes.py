"""How processes meet and hear of each other, without any device: hub and links in one process."""
from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from perspicax.xla.processes import link as links_module
from perspicax.xla.processes import severing, stalls
from perspicax.xla.processes.clusters import Found, detect, first_host, kubernetes_job
from perspicax.xla.processes.errors import (
    BarrierNamesError,
    CoordinatorError,
    ProcessConflictError,
    ProcessesMissingError,
    ProcessLostError,
    ProcessSettingError,
)
from perspicax.xla.processes.hub import Hub
from perspicax.xla.processes.link import Link
from perspicax.xla.processes.relay import Relay

# A link that has lost a process would end this one when the tests that follow stay within one call for 5 s; for good, since
# links that a test leaves behind hear of the end of their hub at any time.
links_module.end_if_stuck = lambda *_: None


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


class Meeting:
    """A hub, and links that each stand for a process."""

    def __init__(self, count: int, patience: float = 5, silence: float = 30) -> None:
        self.count, self.patience, self.silence = count, patience, silence
        self.address = ("127.0.0.1", free_port())
        self.hub = Hub(self.address, count, 4321, patience, silence)

    def link(self, process: int, count: int | None = None) -> Link:
        return Link(self.address, process, count or self.count, self.patience, self.silence)

    def links(self) -> list[Link]:
        return together(*[lambda i=i: self.link(i) for i in range(self.count)])


def together(*calls: Callable[[], Any]) -> list[Any]:
    """What the calls give, each in a thread; an error is what a call gives."""
    found: list[Any] = [None] * len(calls)

    def run(i: int) -> None:
        try:
            found[i] = calls[i]()
        except Exception as error:
            found[i] = error

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return found


def test_processes_meet_and_wait_for_each_other() -> None:
    links = Meeting(3).links()
    assert [link.inner_port for link in links] == [4321] * 3
    order: list[int] = []

    def come(link: Link, after: float) -> None:
        time.sleep(after)
        order.append(link.process)
        link.barrier("b", 5)
        order.append(10)

    together(*[lambda link=link: come(link, 0.1 * link.process) for link in links])
    assert order[:3] == [0, 1, 2] and order[3:] == [10] * 3
    assert together(*[lambda link=link: link.barrier("b", 5) for link in links]) == [{}] * 3  # the same name again
    assert together(*[lambda link=link: link.barrier("some", 5, processes=(0, 2)) for link in links[::2]]) == [{}] * 2


def test_a_barrier_names_those_that_do_not_come_and_those_that_come_too_late_are_told() -> None:
    first, second, third = Meeting(3).links()
    errors = together(lambda: first.barrier("b", 0.3), lambda: third.barrier("b", 0.3))
    for error in errors:
        assert isinstance(error, ProcessesMissingError) and error.missing == (1,) and error.waited == 0.3
        assert error.status == "DEADLINE_EXCEEDED" and "Process 1 did not come to the barrier 'b' within 0.3 s." in str(error)
    with pytest.raises(ProcessesMissingError) as late:
        second.barrier("b", 5)
    assert "came to the barrier 'b' when it was over" in str(late.value)


def test_those_that_never_come_to_the_start_are_named() -> None:
    meeting = Meeting(4, patience=0.5)
    errors = together(lambda: meeting.link(0), lambda: meeting.link(2))
    assert [error.missing for error in errors] == [(1, 3), (1, 3)]
    assert "Processes 1 and 3 did not come to the start within 0.5 s." in str(errors[0])


def test_a_process_whose_connection_ends_is_lost_to_all_at_once() -> None:
    links = Meeting(3).links()
    begun = time.monotonic()
    waiting = [lambda link=link: link.barrier("b", 60) for link in links[:2]]
    errors = together(*waiting, lambda: links[2]._socket.shutdown(socket.SHUT_RDWR))
    assert [(type(e), e.process) for e in errors[:2]] == [(ProcessLostError, 2)] * 2
    assert time.monotonic() - begun < 10
    assert "Process 2 is gone" in str(errors[0]) and "the barrier 'b'" in str(errors[0])
    with pytest.raises(ProcessLostError):
        links[0].barrier("another", 60)


def test_those_that_live_gather_and_go_on_without_the_others() -> None:
    links = Meeting(4).links()
    for link in links:
        link.prepared += 1  # losses end nobody
    assert together(*[lambda link=link: link.gather("a", 60, [0, 1, 2, 3], note=f"{link.process}" if link.process else "")
                      for link in links]) == [([0, 1, 2, 3], {1: "1", 2: "2", 3: "3"})] * 4
    came = together(lambda: links[0].gather("b", 60, [0, 1, 2, 3]), lambda: links[2].gather("b", 60, [0, 1, 2, 3]),
                    lambda: links[1]._socket.shutdown(socket.SHUT_RDWR),
                    lambda: links[3].gather("b", 60, [0, 1, 2, 3], note="x", wait=False))
    assert came[:2] == [([0, 2, 3], {3: "x"})] * 2
    for link in links[::2]:
        link.forgive()
        with pytest.raises(ProcessLostError):  # not what needs those that are gone
            link.barrier("all", 60)
    rest = together(*[lambda link=link: link.barrier("rest", 5, processes=(0, 2)) for link in links[::2]])
    assert rest == [{}, {}] and links[0].lost is None and links[0].alone
    crossed = together(lambda: links[0].gather("c", 60, [0, 2, 3]), lambda: links[2].gather("d", 60, [0, 2, 3]),
                       lambda: links[3].gather("d", 60, [0, 2, 3]))
    assert [type(e) for e in crossed] == [BarrierNamesError] * 3
    links[0].close()
    with pytest.raises(ProcessLostError) as alone:
        links[1].gather("e", 60, [0, 1])
    assert alone.value.process in (0, 1)


def test_connections_of_others_stay_when_some_are_severed() -> None:
    ours, theirs = socket.create_server(("127.0.0.1", 0)), socket.create_server(("127.0.0.1", 0))
    assert {ours.getsockname(), theirs.getsockname()} <= severing.listening()
    ends = [(socket.create_connection(server.getsockname()), server.accept()[0]) for server in (ours, theirs)]
    assert severing.sever({ours.getsockname()}) == 1
    assert ends[0][0].recv(1) == b"" and ends[0][1].recv(1) == b""
    ends[1][0].sendall(b"x")
    assert ends[1][1].recv(1) == b"x"
    again = socket.create_connection(ours.getsockname())
    ours.accept()[0].sendall(b"y")  # it listens still
    assert again.recv(1) == b"y"


def test_what_a_process_ended_with_is_told() -> None:
    first, second = Meeting(2).links()
    second.leave("ValueError: no such file")
    lost = first.wait_for_loss(10)
    assert lost == (1, "it ended with ValueError: no such file")


def test_a_process_that_leaves_well_is_not_lost() -> None:
    first, second = Meeting(2).links()
    second.leave()
    assert first.wait_for_loss(0.3) is None


def test_a_silent_process_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    beat = Link._beat
    monkeypatch.setattr(Link, "_beat", lambda link: None if link.process == 1 else beat(link))
    first, _ = Meeting(2, silence=0.4).links()
    lost = first.wait_for_loss(10)
    assert lost == (1, "it gave no sign of life for 0.4 s")


def test_the_hubs_end_is_the_end_of_process_0() -> None:
    meeting = Meeting(2)
    _, second = meeting.links()
    meeting.hub.close()
    lost = second.wait_for_loss(10)
    assert lost is not None and lost[0] == 0


def test_processes_that_wait_at_different_barriers_are_told() -> None:
    first, second = Meeting(2).links()
    errors = together(lambda: first.barrier("saved", 60, here=True), lambda: second.barrier("loaded", 60, here=True))
    assert [type(e) for e in errors] == [BarrierNamesError] * 2
    assert errors[0].places == {0: "saved", 1: "loaded"}
    assert "process 0 at 'saved'; process 1 at 'loaded'" in " ".join(str(errors[1]).split())


def test_processes_that_wait_at_different_places_are_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, dict[int, str]]] = []
    apart = iter(["train.py:3", "train.py:9"])

    class Waiting:
        def __init__(self) -> None:
            self._here = next(apart)

        def place(self) -> str:
            return self._here

    monkeypatch.setattr(links_module, "Stall", Waiting)
    monkeypatch.setattr(links_module, "notice", lambda me, places: told.append((me, places)))
    first, second = Meeting(2, silence=0.4).links()
    deadline = time.monotonic() + 5
    while len(told) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    assert sorted(me for me, _ in told) == [0, 1] and set(told[0][1].values()) == {"train.py:3", "train.py:9"}
    assert set(first.places().values()) == {"train.py:3", "train.py:9"}
    together(lambda: first.leave(), lambda: second.leave())


def test_where_the_main_thread_waits_is_seen_from_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stalls, "LONG", 0.2)
    first, second = Meeting(2).links()
    stall = stalls.Stall()
    seen: list[str] = []

    def look() -> None:
        while not seen:
            time.sleep(0.05)
            place = stall.place()
            if place is not None:
                seen.append(place)
        second.barrier("both", 5)

    looking = threading.Thread(target=look)
    looking.start()
    time.sleep(0.4)  # waits, but not within a call of ours
    assert seen == []
    first.barrier("both", 5, here=True)
    looking.join(5)
    name = "test_where_the_main_thread_waits_is_seen_from_another"
    assert len(seen) == 1 and seen[0].startswith("test_processes.py:") and f"in `{name}`" in seen[0]
    together(lambda: first.leave(), lambda: second.leave())


@pytest.mark.parametrize(("process", "count", "fault"), [(0, 2, "twice"), (1, 3, "count"), (5, 2, "range")])
def test_processes_that_do_not_agree_are_refused(process: int, count: int, fault: str) -> None:
    meeting = Meeting(2, patience=2)
    first = threading.Thread(target=lambda: together(lambda: meeting.link(0)), daemon=True)
    first.start()
    time.sleep(0.3)
    with pytest.raises(ProcessConflictError) as refused:
        meeting.link(process, count)
    assert refused.value.fault == fault


def test_what_strangers_send_to_the_port_does_no_harm() -> None:
    meeting = Meeting(2)
    strangers = [socket.create_connection(meeting.address) for _ in range(5)]
    texts = (b"GET / HTTP/1.1\r\n\r\n", b"5\n", b'{"is": "hello"}\n', b"\xff\n", b'{"is": "bye"}\n')
    for stranger, text in zip(strangers, texts):
        stranger.sendall(text)
    links = meeting.links()
    assert together(*[lambda link=link: link.barrier("b", 5) for link in links]) == [{}] * 2


@pytest.mark.parametrize("says", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"5\n", b""])
def test_another_program_at_the_address_is_told(says: bytes) -> None:
    server = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        found = server.accept()[0]
        found.sendall(says)
        if says:
            time.sleep(1)
        found.close()

    threading.Thread(target=answer, daemon=True).start()
    with pytest.raises(CoordinatorError) as failed:
        Link(server.getsockname(), 1, 2, 1, 5)
    assert "what listens there does not answer as process 0 does" in failed.value.reason


def test_notes_at_a_barrier_reach_all() -> None:
    first, second = Meeting(2).links()
    assert together(lambda: first.barrier("b", 5), lambda: second.barrier("b", 5, note="no room")) == [{1: "no room"}] * 2


STUCK = """
import sys, threading
from perspicax.xla.processes import watch
sys.path.insert(0, sys.argv[1])
import waiting
watch.PATIENCE = 0.6
threading.Thread(target=watch.end_if_stuck, args=(1, "it gave no sign of life for 100 s"), daemon=True).start()
if sys.argv[2] == "works on":
    print(sum(1 for _ in range(3) if not waiting.threading.Event().wait(0.7)))
else:
    waiting.within_xla()  # the user's line
"""


@pytest.mark.parametrize("how", ["stuck", "works on"])
def test_a_process_that_waits_within_xla_for_one_that_is_gone_tells_it_and_ends(how: str, tmp_path: Path) -> None:
    (tmp_path / "inner" / "jaxlib").mkdir(parents=True)  # frames of jaxlib's own Python count as XLA's
    (tmp_path / "inner" / "jaxlib" / "native.py").write_text("import time\n\ndef run():\n    time.sleep(60)\n")
    (tmp_path / "inner" / "waiting.py").write_text(
        f"import sys, threading\n\ndef within_xla():\n    sys.path.insert(0, {str(tmp_path / 'inner' / 'jaxlib')!r})\n"
        "    import native\n    native.run()\n")
    program = tmp_path / "train.py"
    program.write_text(STUCK)
    run = subprocess.run([sys.executable, str(program), str(tmp_path / "inner"), how], capture_output=True, text=True,
                         timeout=50, env={**os.environ, "PERSPICAX_INTERNAL": str(tmp_path / "inner")})
    if how == "works on":
        assert (run.returncode, run.stdout, run.stderr) == (0, "3\n", "")
    else:
        assert run.returncode == 1
        assert run.stderr.startswith("ProcessLostError: Process 1 is gone: it gave no sign of life for 100 s.")
        assert "waiting.within_xla()  # the user's line" in run.stderr


def test_nobody_at_the_address() -> None:
    with pytest.raises(CoordinatorError) as failed:
        Link(("127.0.0.1", free_port()), 1, 2, 0.3, 5)
    assert failed.value.waited == 0.3 and "refused" in failed.value.reason


def test_a_relay_passes_on_and_stays_open_when_the_far_end_is_gone() -> None:
    far = socket.create_server(("127.0.0.1", 0))
    relay = Relay("127.0.0.1", far.getsockname()[1])
    near = socket.create_connection(("127.0.0.1", relay.port))
    end, _ = far.accept()
    near.sendall(b"there")
    assert end.recv(10) == b"there"
    end.sendall(b"back")
    assert near.recv(10) == b"back"
    end.close()
    near.settimeout(0.3)
    with pytest.raises(TimeoutError):
        near.recv(10)  # no end of the stream
    near.sendall(b"x")
    near.close()


def test_the_environment_of_slurm_and_open_mpi_and_kubernetes_tells_the_run() -> None:
    slurm = {"SLURM_JOB_ID": "4099", "SLURM_STEP_NODELIST": "node[005-007],gpu1", "SLURM_NTASKS": "4", "SLURM_PROCID": "2",
             "SLURM_LOCALID": "0", "SLURM_STEP_NUM_NODES": "4"}
    assert detect(None, slurm) == Found("node005:61443", 4, 2, 0)
    mpi = {"OMPI_MCA_orte_hnp_uri": "1531576320.0;tcp://10.96.0.1,10.148.0.1:34911", "OMPI_COMM_WORLD_SIZE": "8",
           "OMPI_COMM_WORLD_RANK": "3", "OMPI_COMM_WORLD_LOCAL_RANK": "1"}
    assert detect(None, mpi) == Found("10.96.0.1:62624", 8, 3, 1)
    assert detect(None, {**mpi, "OMPI_MCA_orte_hnp_uri": "1531576320.0;tcp://10.96.0.1:34911"}) == detect(None, mpi)
    assert detect(None, {}) is None and detect("deactivate", slurm) is None and detect("ompi", slurm) is None
    with pytest.raises(ProcessSettingError, match="'slurm', 'ompi', 'k8s', 'mpi4py'"):
        detect("foo", slurm)
    with pytest.raises(ProcessSettingError, match="cannot be read"):
        detect(None, {**mpi, "OMPI_MCA_orte_hnp_uri": "here"})


def test_slurms_lists_of_nodes() -> None:
    assert [first_host(text) for text in ("a", "a,b", "n[1-3,7]", "n[05,07]x,c", "a1[2]b[3-4]")] == [
        "a", "a", "n1", "n05x", "a12b3"]


def test_a_pods_job_tells_the_run() -> None:
    objects: dict[str, Any] = {
        "pods/train-3": {"metadata": {"labels": {"job-name": "train"}}, "spec": {"subdomain": "pods"}},
        "jobs/train": {"metadata": {"labels": {}}, "spec": {"parallelism": 4}}}
    env = {"HOSTNAME": "train-3", "JOB_COMPLETION_INDEX": "3"}
    ask = lambda path: next(value for name, value in objects.items() if path.endswith(name))
    assert kubernetes_job(env, ask) == Found("train-0.pods:55527", 4, 3)
    objects["jobs/train"]["metadata"]["labels"]["jobset.sigs.k8s.io/jobset-name"] = "set"
    assert kubernetes_job(env, ask).address == "train-0.set:55527"
    objects["jobs/train"]["metadata"]["labels"].clear()
    objects["pods/train-3"]["spec"].clear()
    with pytest.raises(ProcessSettingError, match="headless service"):
        kubernetes_job(env, ask)
    objects["pods/train-3"]["metadata"]["labels"].clear()
    with pytest.raises(ProcessSettingError, match="belongs to no Job"):
        kubernetes_job(env, ask)
