"""The most memory that this process has held so far."""

from __future__ import annotations

import re
import sys
from pathlib import Path

_LINUX_STATUS = Path("/proc/self/status")


def peak_bytes() -> int | None:
    """Peak resident memory of this process in bytes, None where the system does not tell."""
    if sys.platform == "win32":
        return _windows_peak()
    if _LINUX_STATUS.exists():
        # ru_maxrss would be wrong: a process started by a larger one inherits that one's peak through exec.
        found = re.search(r"^VmHWM:\s+(\d+) kB", _LINUX_STATUS.read_text(encoding="ascii"), re.MULTILINE)
        if found:
            return int(found[1]) * 1024
    return _unix_peak()


if sys.platform == "win32":

    def _windows_peak() -> int | None:
        import ctypes
        from ctypes import wintypes

        class Counters(ctypes.Structure):
            """PROCESS_MEMORY_COUNTERS of psapi.h."""

            _fields_ = [
                ("cb", wintypes.DWORD),
                ("PageFaultCount", wintypes.DWORD),
                ("PeakWorkingSetSize", ctypes.c_size_t),
                *((f"unused{number}", ctypes.c_size_t) for number in range(7)),
            ]

        counters = Counters(cb=ctypes.sizeof(Counters))
        kernel = ctypes.WinDLL("kernel32")
        kernel.GetCurrentProcess.restype = wintypes.HANDLE
        kernel.K32GetProcessMemoryInfo.argtypes = [wintypes.HANDLE, ctypes.c_void_p, wintypes.DWORD]
        told = kernel.K32GetProcessMemoryInfo(kernel.GetCurrentProcess(), ctypes.byref(counters), counters.cb)
        return int(counters.PeakWorkingSetSize) if told else None

else:

    def _unix_peak() -> int | None:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
