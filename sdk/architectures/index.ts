export { deepseekMoe, type DeepseekMoeOptions } from "./deepseek-moe.js";
export { dynamicMoe, type DynamicMoeOptions } from "./dynamic-moe.js";
export { moePlusPlus, type MoePlusPlusOptions } from "./moe-plus-plus.js";
export { moec, type MoecOptions } from "./moec.js";
export type { Recipe } from "./recipe.js";
export { smoeDropout, type SmoeDropoutOptions } from "./smoe-dropout.js";
export { thor, type ThorOptions } from "./thor.js";
