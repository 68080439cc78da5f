"""What the program that started a run tells of it: Slurm, Open MPI, Kubernetes by the environment, mpi4py when asked."""
from __future__ import annotations

import json
import os
import re
import socket
import ssl
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from perspicax.diagnose.optional import optional
from perspicax.xla.processes.errors import ProcessSettingError

__all__ = ["METHODS", "Found", "detect"]

PORTS = 2**12  # the coordinator's port is one of the last 4096, chosen by the number of the job, as JAX does


@dataclass(frozen=True)
class Found:
    """What is known of a run. `local_process` counts the processes of one machine."""

    address: str
    count: int
    process: int
    local_process: int | None = None


def _port(number: int) -> int:
    return number % PORTS + 65536 - PORTS


def _slurm(env: Mapping[str, str]) -> Found | None:
    """`srun` sets these for each task of a step."""
    if not all(name in env for name in ("SLURM_JOB_ID", "SLURM_STEP_NODELIST", "SLURM_NTASKS", "SLURM_PROCID",
                                        "SLURM_LOCALID", "SLURM_STEP_NUM_NODES")):
        return None
    host = first_host(env["SLURM_STEP_NODELIST"])
    return Found(f"{host}:{_port(int(env['SLURM_JOB_ID']))}", int(env["SLURM_NTASKS"]), int(env["SLURM_PROCID"]),
                 int(env["SLURM_LOCALID"]))


def first_host(nodes: str) -> str:
    """The first of Slurm's list of nodes.

    >>> first_host("node[005-012,020],gpu3"), first_host("gpu3,node[1-2]"), first_host("a[1-2]b[03,05]")
    ('node005', 'gpu3', 'a1b03')
    """
    first = re.match(r"(?:[^,\[]|\[[^\]]*\])*", nodes)
    return re.sub(r"\[(\d+)[^\]]*\]", r"\1", first[0] if first else nodes)


def _open_mpi(env: Mapping[str, str]) -> Found | None:
    """`mpirun` sets these. The URI is `job.0;tcp://10.0.0.1,10.0.1.1:port`: the addresses of the machine that launches,
    where process 0 runs too."""
    uri = env.get("OMPI_MCA_orte_hnp_uri")
    if uri is None:
        return None
    parts = re.match(r"(\d+)\.\d+;\w+://\[?([0-9A-Fa-f.:]+?)[\],:](?:[^:]|$)", uri) or re.match(
        r"(\d+)\.\d+;\w+://\[?([0-9.]+)", uri)
    if parts is None:
        raise ProcessSettingError(name="coordinator_address", method="Open MPI",
                                  why=f"the address in `OMPI_MCA_orte_hnp_uri` ({uri!r}) cannot be read")
    return Found(f"{parts[2]}:{_port(int(parts[1]) // PORTS)}", int(env["OMPI_COMM_WORLD_SIZE"]),
                 int(env["OMPI_COMM_WORLD_RANK"]), int(env["OMPI_COMM_WORLD_LOCAL_RANK"]))


KUBERNETES_PORT = 55527
_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount/"


def _kubernetes(env: Mapping[str, str]) -> Found | None:
    """A pod of an indexed Job or JobSet asks the cluster's own API for its job."""
    if "KUBERNETES_SERVICE_HOST" not in env or "JOB_COMPLETION_INDEX" not in env:
        return None
    return kubernetes_job(env, lambda path: _ask_cluster(env, path))


def kubernetes_job(env: Mapping[str, str], ask: Callable[[str], Any]) -> Found:
    """What a pod's job says of the run.

    Args:
        env: the environment.
        ask: gets an object of the cluster's API by its path below the namespace.
    """
    pod = ask(f"/api/v1/namespaces/%s/pods/{env.get('HOSTNAME') or socket.gethostname()}")
    labels = pod["metadata"].get("labels") or {}
    name = labels.get("batch.kubernetes.io/job-name") or labels.get("job-name")
    if name is None:
        raise ProcessSettingError(name="coordinator_address", method="Kubernetes",
                                  why="this pod belongs to no Job, so that the cluster does not know the other processes")
    job = ask(f"/apis/batch/v1/namespaces/%s/jobs/{name}")
    domain = (job["metadata"].get("labels") or {}).get("jobset.sigs.k8s.io/jobset-name") or pod["spec"].get("subdomain")
    if not domain:
        raise ProcessSettingError(
            name="coordinator_address", method="Kubernetes",
            why=f"the pods of the job {name!r} have no names for each other: a headless service must select them, and its "
                "name must be the `subdomain` in the job's template")
    return Found(f"{name}-0.{domain}:{KUBERNETES_PORT}", int(job["spec"]["parallelism"]), int(env["JOB_COMPLETION_INDEX"]))


def _ask_cluster(env: Mapping[str, str], path: str) -> Any:
    with open(_ACCOUNT + "namespace") as file:
        namespace = file.read().strip()
    with open(_ACCOUNT + "token") as file:
        token = file.read().strip()
    url = (f"https://{env['KUBERNETES_SERVICE_HOST']}:{env.get('KUBERNETES_SERVICE_PORT', '443')}" + path % namespace)
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    trusted = ssl.create_default_context(cafile=_ACCOUNT + "ca.crt")
    try:
        with urllib.request.urlopen(request, timeout=30, context=trusted) as answer:
            return json.load(answer)
    except OSError as error:
        raise ProcessSettingError(
            name="coordinator_address", method="Kubernetes",
            why=f"the cluster's API does not answer {path % namespace!r} ({error}); the service account of the pod must be "
                "allowed to read pods and jobs") from error


def _mpi4py(env: Mapping[str, str]) -> Found | None:
    """The processes ask each other through MPI; the first one's name is the coordinator's."""
    del env
    optional("mpi4py", extra="", needed_for='`jax.distributed.initialize(cluster_detection_method="mpi4py")`')
    mpi = optional("mpi4py.MPI", extra="", needed_for='`jax.distributed.initialize(cluster_detection_method="mpi4py")`')
    world = mpi.COMM_WORLD
    name = socket.gethostname()
    address = world.bcast(f"{name}:{_port(sum(name.encode()) * 31 + os.getpid())}", root=0)
    local = world.Split_type(mpi.COMM_TYPE_SHARED)
    return Found(address, world.Get_size(), world.Get_rank(), local.Get_rank())


METHODS: dict[str, Callable[[Mapping[str, str]], Found | None]] = {
    "slurm": _slurm, "ompi": _open_mpi, "k8s": _kubernetes, "mpi4py": _mpi4py}
_TITLES = {"slurm": "Slurm", "ompi": "Open MPI", "k8s": "Kubernetes", "mpi4py": "mpi4py"}


def detect(method: str | None, env: Mapping[str, str] | None = None) -> Found | None:
    """What the environment tells of the run; `None` if nothing.

    Args:
        method: one of `METHODS`, "deactivate" for none, `None` for those that need not be asked for.
        env: the environment; by default this process's.

    Raises:
        ProcessSettingError: there is no such method, or what it finds cannot be used.
        MissingPackageError: mpi4py is not installed.
    """
    env = os.environ if env is None else env
    if method == "deactivate":
        return None
    if method is not None:
        if method not in METHODS:
            raise ProcessSettingError(name="cluster_detection_method", given=repr(method),
                                      why=f"the methods are {', '.join(map(repr, METHODS))}, and 'deactivate' for none")
        return METHODS[method](env)
    return next((found for name, look in METHODS.items() if name != "mpi4py" and (found := look(env))), None)
