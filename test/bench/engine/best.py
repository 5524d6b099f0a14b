import time


def best(work, for_ms):
    """Shortest time in milliseconds of a call, over at least `for_ms` of calls; 0 is one call."""
    least, end = float("inf"), time.perf_counter() + for_ms / 1e3
    while True:
        started = time.perf_counter()
        work()
        least = min(least, time.perf_counter() - started)
        if time.perf_counter() >= end:
            return least * 1e3
