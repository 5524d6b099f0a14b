export * from "./bars-by-layer.js";
export * from "./before-after.js";
export * from "./grouping.js";
export * from "./interval-forest.js";
export * from "./loss-curve.js";
export * from "./quality-size.js";
export * from "./stable-rank-change.js";
export * from "./usage-heat-map.js";
