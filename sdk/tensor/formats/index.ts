export { decode } from "./decode.js";
export { encode } from "./encode.js";
export { packInt4, unpackInt4 } from "./int4.js";
export { decodeMxfp4, encodeMxfp4 } from "./mxfp4.js";
