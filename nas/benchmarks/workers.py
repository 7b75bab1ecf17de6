"""Jobs one after another here, or side by side in processes of their own."""

import os
import signal
from collections.abc import Iterable, Iterator
from typing import Any

from nas.benchmarks.jobs import Job, Setting, perform
from search_spaces.errors import NasError, RunError

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_worker_setting: Setting | None = None


def run_jobs(
    setting: Setting, jobs: Iterable[Job], processes: int
) -> Iterator[tuple[Job, dict[str, Any]]]:
    """Compute `jobs`, each with one thread; yield each with its result as it finishes.

    Raises:
        NasError: A job met one, such as a policy that cannot handle the objectives.
        RunError: A worker process died.
    """
    jobs = list(jobs)
    if processes <= 1 or len(jobs) <= 1:
        for job in jobs:
            yield job, perform(setting, job)
        return
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    pool = ProcessPoolExecutor(
        min(processes, len(jobs)),
        mp_context=get_context("spawn"),
        initializer=_begin,
        initargs=(setting,),
    )
    try:
        waiting = {pool.submit(_perform, job): job for job in jobs}
        for future in as_completed(waiting):
            result, refusal = future.result()
            if refusal is not None:
                raise NasError(refusal)
            yield waiting[future], result
    except BrokenProcessPool:
        raise RunError(
            "A worker process ended by itself, perhaps for lack of memory. Finished results are "
            "kept: run the same command again, with fewer --jobs."
        ) from None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _begin(setting: Setting) -> None:
    global _worker_setting
    # An interrupt reaches every process of a terminal; the first one decides what to do.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Before torch is imported, which reads them once.
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    _worker_setting = setting


def _perform(job: Job) -> tuple[dict[str, Any] | None, str | None]:
    assert _worker_setting is not None
    try:
        return perform(_worker_setting, job), None
    except NasError as error:
        # As text: not every error survives the way between processes.
        return None, str(error)
