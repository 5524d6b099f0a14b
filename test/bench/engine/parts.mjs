/**
 * What is measured: each part's sides run one after the other in every round. The first side is the engine (further
 * engine sides name their own `peer`); `value` picks the number of a result that counts, larger is better.
 * `inTurns`: the sides are asked case by case, not one after the other.
 * `beside` names peers that are shown and not asked for. A part without a peer has a `floor` in its own unit; so have
 * single numbers that are not asked for beside a peer (`floors`).
 */
const peer = (script, ...args) => ({ script, args });
const engine = (script, ...args) => ({ script, args });

export const parts = {
  training: {
    about: "training step, D 128, L 4, 8 experts of 256, 1,024 tokens",
    unit: "tokens/s",
    flops: "narrow",
    sides: { engine: engine("train-step.ts", "narrow", "20"),
      ordinary: engine("../tensor/moe-step.ts", "gather", "--steps", "40"),
      peer: peer("train_step.py", "narrow", "20") },
    target: { engine: 1.1, ordinary: 0.75 },
  },
  wide: {
    about: "training step, D 512, L 4, 16 experts of 1,024, 4,096 tokens",
    unit: "tokens/s",
    flops: "wide",
    sides: { engine: engine("train-step.ts", "wide", "6"), peer: peer("train_step.py", "wide", "6") },
    target: { engine: 1 },
  },
  wasm: {
    about: "training step, D 128, on WebAssembly",
    unit: "tokens/s",
    sides: { engine: { script: "train-step.ts", args: ["narrow", "6"], backend: "wasm" } },
    floor: 600,
  },
  operations: { about: "single operations", inTurns: true,
    sides: { engine: engine("operations.ts"), peer: peer("operations.py") }, target: { engine: 0.95 },
    floors: { "tiny add, per ms": 1000 / 3, "bf16 to f32, GB/s read": 2 } },
  linalg: { about: "1,024 beside LAPACK and SciPy",
    sides: { engine: engine("linalg.ts", "1024"), peer: peer("linalg.py", "1024") }, target: { engine: 1 / 1.5 } },
  "linalg-large": { about: "3,072 beside LAPACK and SciPy",
    sides: { engine: engine("linalg.ts", "3072"), peer: peer("linalg.py", "3072") }, target: { engine: 1 / 1.5 } },
  forward: {
    about: "forward of an OLMoE-shaped model of 235 MB, 4 x 256 tokens",
    unit: "tokens/s",
    model: true,
    flopsPerToken: 50.3e6,
    sides: {
      engine: engine("forward.ts", "MODEL", "forward"),
      peer: peer("forward.py", "MODEL", "forward", "float32", "eager"),
      grouped: peer("forward.py", "MODEL", "forward", "float32", "grouped_mm"),
      bfloat16: peer("forward.py", "MODEL", "forward", "bfloat16", "eager"),
    },
    target: { engine: 1 },
    beside: ["bfloat16"],
  },
  merge: {
    about: "profile of 8,192 tokens and merge of the same model to a quarter",
    unit: "runs/s",
    model: true,
    sides: { engine: engine("forward.ts", "MODEL", "merge"),
      peer: peer("forward.py", "MODEL", "merge", "float32", "eager"),
      grouped: peer("forward.py", "MODEL", "merge", "float32", "grouped_mm") },
    target: { engine: 1 },
  },
  checkpoint: { about: "reading of a sharded checkpoint of 1 GB beside plain reading of its files",
    sides: { engine: engine("../checkpoint/read.ts", "1024") },
    floors: { "bytes into one buffer, of plain reading into one": 0.8 } },
};
