import * as tf from "@tensorflow/tfjs-core";
import type { DataType, TensorInfo } from "@tensorflow/tfjs-core";
import { NOT_NATIVE } from "../backend.js";
import type { KernelGroup } from "../kernel.js";
import { type BinaryName, dtypes, type UnaryName } from "../native.js";

type X = { x: TensorInfo };
type AB = { a: TensorInfo; b: TensorInfo };

/** "x": the dtype of the input. */
type ResultDtype = DataType | "x";

const unary: [kernel: string, name: UnaryName, dtype: ResultDtype][] = [[tf.Abs, "abs", "x"], [tf.Acos, "acos",
  "float32"], [tf.Acosh, "acosh", "float32"], [tf.Asin, "asin", "float32"], [tf.Asinh, "asinh", "float32"], [tf.Atan,
  "atan", "float32"], [tf.Atanh, "atanh", "float32"], [tf.Ceil, "ceil", "x"], [tf.Cos, "cos", "float32"], [tf.Cosh,
  "cosh", "float32"], [tf.Elu, "elu", "float32"], [tf.Erf, "erf", "float32"], [tf.Exp, "exp", "float32"], [tf.Expm1,
  "expm1", "float32"], [tf.Floor, "floor", "x"], [tf.IsFinite, "isfinite", "bool"], [tf.IsInf, "isinf", "bool"], [
  tf.IsNan,
  "isnan",
  "bool",
], [tf.Log, "log", "float32"], [tf.Log1p, "log1p", "float32"], [tf.LogicalNot, "logical_not", "bool"], [tf.Neg, "neg",
  "x"], [tf.Reciprocal, "reciprocal", "float32"], [tf.Relu, "relu", "x"], [tf.Round, "round", "x"], [tf.Rsqrt, "rsqrt",
  "float32"], [tf.Selu, "selu", "float32"], [tf.Sigmoid, "sigmoid", "float32"], [tf.Sign, "sign", "x"], [tf.Sin, "sin",
  "float32"], [tf.Sinh, "sinh", "float32"], [tf.Softplus, "softplus", "float32"], [tf.Sqrt, "sqrt", "float32"], [
  tf.Square,
  "square",
  "x",
], [tf.Tan, "tan", "float32"], [tf.Tanh, "tanh", "float32"]];

/** "ab": the wider dtype of the inputs. */
const binary: [kernel: string, name: BinaryName, dtype: DataType | "ab"][] = [[tf.Add, "add", "ab"], [tf.Sub, "sub",
  "ab"], [tf.Multiply, "mul", "ab"], [tf.RealDiv, "div", "ab"], [tf.FloorDiv, "floordiv", "int32"], [tf.Mod, "mod",
  "ab"], [tf.Pow, "pow", "ab"], [tf.Maximum, "maximum", "ab"], [tf.Minimum, "minimum", "ab"], [tf.SquaredDifference,
  "squaredDifference", "ab"], [tf.Atan2, "atan2", "float32"], [tf.BitwiseAnd, "bitwise_and", "ab"], [tf.Equal, "eq",
  "bool"], [tf.NotEqual, "ne", "bool"], [tf.Less, "lt", "bool"], [tf.LessEqual, "le", "bool"], [tf.Greater, "gt",
  "bool"], [tf.GreaterEqual, "ge", "bool"], [tf.LogicalAnd, "logical_and", "bool"], [tf.LogicalOr, "logical_or",
  "bool"]];

/** One result element for each element of the inputs. */
export const elementwise: KernelGroup = (torch, define) => {
  const { native } = torch;

  for (const [kernel, name, dtype] of unary) {
    const run = native[name];
    define<X>(kernel, ({ x }) => torch.output(run(torch.handle(x)), x.shape, dtype === "x" ? x.dtype : dtype));
  }
  for (const [kernel, name, dtype] of binary) {
    const run = native[name];
    define<AB>(kernel, ({ a, b }) =>
      torch.output(run(torch.handle(a), torch.handle(b)), broadcast(a.shape, b.shape),
        dtype === "ab" ? wider(a.dtype, b.dtype) : dtype));
  }

  define<X>(tf.Relu6, ({ x }) => torch.output(native.clamp(torch.handle(x), 0, 6), x.shape, x.dtype));
  define<X, tf.LeakyReluAttrs>(tf.LeakyRelu,
    ({ x }, { alpha }) => torch.output(native.leakyRelu(torch.handle(x), alpha), x.shape, "float32"));
  define<X, tf.ClipByValueAttrs>(tf.ClipByValue,
    ({ x }, { clipValueMin, clipValueMax }) =>
      torch.output(native.clamp(torch.handle(x), clipValueMin, clipValueMax), x.shape, x.dtype));
  define<X, tf.StepAttrs>(tf.Step,
    ({ x }, { alpha }) => torch.output(native.step(torch.handle(x), alpha), x.shape, x.dtype));
  define<tf.PreluInputs>(tf.Prelu,
    ({ x, alpha }) =>
      torch.output(native.prelu(torch.handle(x), torch.handle(alpha)), broadcast(x.shape, alpha.shape), "float32"));
  define<tf.EluGradInputs>(tf.EluGrad,
    ({ dy, y }) => torch.output(native.eluGrad(torch.handle(dy), torch.handle(y)), y.shape, "float32"));
  define<tf.SelectInputs>(tf.Select,
    ({ condition, t, e }) =>
      torch.output(native.where(torch.handle(condition), torch.handle(t), torch.handle(e)), t.shape,
        wider(t.dtype, e.dtype)));

  define<X>(tf.Identity, ({ x }) => torch.share(x));
  define<X, tf.CastAttrs>(tf.Cast,
    (
      { x },
      { dtype },
    ) => (x.dtype === dtype
      ? torch.share(x)
      : torch.output(native.cast(torch.handle(x), dtypes[nativeDtype(dtype)]), x.shape, dtype)));
  define<X>(tf.ZerosLike,
    ({ x }) => torch.output(native.full(0, dtypes[nativeDtype(x.dtype)], ...x.shape), x.shape, x.dtype));
  define<X>(tf.OnesLike,
    ({ x }) => torch.output(native.full(1, dtypes[nativeDtype(x.dtype)], ...x.shape), x.shape, x.dtype));
  define<unknown, tf.FillAttrs>(tf.Fill,
    (_, { shape, value, dtype = typeof value === "string" ? "string" : "float32" }) =>
      torch.output(native.full(Number(value), dtypes[nativeDtype(dtype)], ...shape), shape, dtype));

  define<TensorInfo[]>(tf.AddN, (inputs) => {
    const terms = Object.values(inputs);
    if (terms.length === 1) return torch.share(terms[0]);
    const sum = torch.chain((hold) =>
      terms.slice(1).reduce((total, x) => hold(native.add(total, torch.handle(x))), torch.handle(terms[0]))
    );
    return torch.output(sum, terms[0].shape, terms.map((x) => x.dtype).reduce(wider));
  });
};

/** The shape of a result of two inputs. @throws Error if they do not fit */
export function broadcast(a: number[], b: number[]): number[] {
  if (a.length === 0) return b;
  if (b.length === 0) return a;
  if (a.length === b.length && a.every((size, axis) => size === b[axis])) return a;
  return tf.backend_util.assertAndGetBroadcastShape(a, b);
}

export function wider(a: DataType, b: DataType): DataType {
  return a === b ? a : tf.upcastType(a, b);
}

/** Refuses what the addon does not hold, so that the kernel runs in JavaScript. */
export function nativeDtype(dtype: DataType): "float32" | "int32" | "bool" {
  if (dtype === "string" || dtype === "complex64") throw NOT_NATIVE;
  return dtype;
}
