import time


def best(work, for_ms):
    """Shortest time in milliseconds of a call, over at least `for_ms` of calls; 0 is one call. Short calls are timed by the dozen."""
    def timed(calls):
        started = time.perf_counter()
        for _ in range(calls):
            work()
        return (time.perf_counter() - started) / calls * 1e3

    least, end = timed(1), time.perf_counter() + for_ms / 1e3
    while time.perf_counter() < end:
        least = min(least, timed(max(1, int(2 / least))))
    return least
