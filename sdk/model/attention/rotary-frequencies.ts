import type { RotaryScaling, RotarySpec } from "../attention-spec.js";

/** Radians per position for each pair of channels, and what cosines and sines are multiplied by. */
export interface Frequencies {
  values: Float32Array;
  amplitude: number;
}

/**
 * Frequencies theta^(-2i / dim), changed by the scaling that a model was trained or extended with.
 *
 * @param length positions in use, for scalings that depend on it
 */
export function rotaryFrequencies({ theta, dim, scaling }: RotarySpec, length: number): Frequencies {
  const base = scaling ? scaledBase(theta, dim, scaling, length) : theta;
  const values = Float32Array.from({ length: dim / 2 }, (_, i) => 1 / Math.pow(base, (2 * i) / dim));
  switch (scaling?.kind) {
    case "linear":
      return { values: values.map((value) => value / scaling.factor), amplitude: 1 };
    case "llama3":
      return { values: values.map((value) => llama3(value, scaling)), amplitude: 1 };
    case "yarn":
      return { values: yarn(values, theta, dim, scaling), amplitude: scaling.amplitude };
    case "longrope": {
      const long = length > scaling.length;
      const factors = long ? scaling.long : scaling.short;
      return { values: values.map((value, i) => value / factors[i]),
        amplitude: long ? scaling.longAmplitude : scaling.shortAmplitude };
    }
    default:
      return { values, amplitude: 1 };
  }
}

/** NTK-aware scaling: a larger base slows the slow frequencies more than the fast ones. */
function scaledBase(theta: number, dim: number, scaling: RotaryScaling, length: number): number {
  const stretch = scaling.kind === "ntk"
    ? scaling.alpha
    : scaling.kind === "dynamic"
    ? (scaling.factor * Math.max(length, scaling.length)) / scaling.length - (scaling.factor - 1)
    : 1;
  return theta * Math.pow(stretch, dim / (dim - 2));
}

/**
 * Wavelengths beyond length / low are stretched by the factor, those below length / high kept, between them blended.
 */
function llama3(value: number, { factor, low, high, length }: Extract<RotaryScaling, { kind: "llama3" }>): number {
  const wavelength = (2 * Math.PI) / value;
  if (wavelength > length / low) return value / factor;
  if (wavelength < length / high) return value;
  const smooth = (length / wavelength - low) / (high - low);
  return (1 - smooth) * (value / factor) + smooth * value;
}

/**
 * arXiv:2309.00071: pairs that turn fewer than `slow` times over the original length are stretched, those above `fast`
 * kept.
 */
function yarn(
  values: Float32Array,
  theta: number,
  dim: number,
  { factor, length, fast, slow, truncate }: Extract<RotaryScaling, { kind: "yarn" }>,
): Float32Array {
  const pairAt = (turns: number) => (dim * Math.log(length / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
  const [first, last] = truncate ? [Math.floor(pairAt(fast)), Math.ceil(pairAt(slow))] : [pairAt(fast), pairAt(slow)];
  const low = Math.max(first, 0);
  const high = Math.min(last, dim - 1);
  const span = high === low ? 0.001 : high - low;
  return values.map((value, i) => {
    const stretched = Math.min(1, Math.max(0, (i - low) / span));
    return (value / factor) * stretched + value * (1 - stretched);
  });
}
