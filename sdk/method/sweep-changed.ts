import { type LayerId } from "../model/spec.js";
import type { LayerPlan } from "../plan/plan.js";
import type { Observer } from "../profile/observer.js";

/** Sweeps the calibration data through the model with these layers changed, and shows what happens to observers. */
export type SweepChanged = (layers: Record<LayerId, LayerPlan>, observers: readonly Observer[]) => Promise<void>;
