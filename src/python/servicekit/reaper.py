"""PID 1 of a container: a parent that reaps orphans for the service it forked."""

import os
import signal

_SYNCHRONOUS = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT}
_FORWARDED_OR_CHILD = signal.valid_signals() - _SYNCHRONOUS - {signal.SIGKILL, signal.SIGSTOP}


def split() -> None:
    """Forks: returns in the child, which is the service; the parent stays PID 1 and never returns.

    A process cannot tell an adopted orphan from a child that some library is about to wait for, so
    reaping in the service itself would steal exit codes. Here the service's own children are its
    own, and only those that outlive their parent come to PID 1.

    Signals are blocked across the fork: one that arrives meanwhile is kept, then forwarded.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED_OR_CHILD)
    service = os.fork()
    if service == 0:
        os.setpgid(0, 0)  # Ctrl-C on a terminal reaches PID 1 alone, so it arrives here once
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return
    os._exit(_wait(service))


def _wait(service: int) -> int:
    """Reaps every child and forwards every signal until the service ends; gives its exit code."""
    while True:
        number = signal.sigwait(_FORWARDED_OR_CHILD)
        if number != signal.SIGCHLD:
            os.kill(service, number)
            continue
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == service:
                code = os.waitstatus_to_exitcode(status)
                return code if code >= 0 else 128 - code
            if pid == 0:
                break
