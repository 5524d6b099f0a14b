"""The work of linalg.ts in NumPy (LAPACK) and SciPy."""
import json, sys
import numpy as np
import scipy
from scipy.optimize import linear_sum_assignment
from best import best

results = {}
for n in map(int, sys.argv[1:]):
    rng = np.random.default_rng(1)
    a, neurons, moved = rng.standard_normal((n, n)), rng.standard_normal((n, 64)), rng.standard_normal((n, 64))
    for name, score in (("random", a), ("weights", neurons @ (neurons + moved).T)):
        score = score.astype(np.float32)
        results[f"assignment of {name} {n}, per s"] = 1e3 / best(lambda: linear_sum_assignment(score, maximize=True), 500)
    for_ms = 0 if n > 2000 else 1000
    results[f"svd {n}, per s"] = 1e3 / best(lambda: np.linalg.svd(a, full_matrices=False), for_ms)
    results[f"eigh {n}, per s"] = 1e3 / best(lambda: np.linalg.eigh(a + a.T), for_ms)
print(json.dumps(dict(backend="numpy, scipy", version=f"{np.__version__}, {scipy.__version__}", results=results)))
