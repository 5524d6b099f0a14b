import sanitizeHtml from "sanitize-html";

const MATHML = ["math", "semantics", "annotation", "mrow", "mi", "mo", "mn", "ms", "mtext", "mspace", "msub", "msup",
  "msubsup", "mfrac", "msqrt", "mroot", "munder", "mover", "munderover", "mtable", "mtr", "mtd", "mstyle", "mpadded",
  "mphantom", "menclose", "mglyph", "mmultiscripts", "mprescripts"];
const MATHML_ATTRIBUTES = ["xmlns", "display", "encoding", "mathvariant", "stretchy", "fence", "separator", "lspace",
  "rspace", "minsize", "maxsize", "width", "height", "depth", "voffset", "accent", "accentunder", "linethickness",
  "columnalign", "rowspacing", "columnspacing", "scriptlevel", "displaystyle", "movablelimits", "symmetric", "form",
  "rowlines", "columnlines", "notation", "mathcolor"];
const SVG = ["svg", "g", "path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "text", "tspan", "defs",
  "clippath", "lineargradient", "stop", "title", "desc"];
const SVG_ATTRIBUTES = ["viewbox", "viewBox", "xmlns", "d", "x", "y", "x1", "x2", "y1", "y2", "dx", "dy", "cx", "cy",
  "r", "rx", "ry", "width", "height", "points", "transform", "fill", "fill-opacity", "stroke", "stroke-width",
  "stroke-opacity", "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "opacity", "font-size", "font-family",
  "font-weight", "text-anchor", "dominant-baseline", "clip-path", "offset", "stop-color", "role", "aria-label"];

/**
 * HTML that came from a notebook, reduced to what shows something: no script, no event handler, no frame, no form, and
 * nothing that is fetched from elsewhere but links that the reader clicks.
 */
export function sanitize(html: string): string {
  return sanitizeHtml(html, {
    allowedTags: [...sanitizeHtml.defaults.allowedTags, "img", "details", "summary", "progress", "meter", "del", "ins",
      "h1", "h2", ...MATHML, ...SVG],
    allowedAttributes: {
      "*": ["class", "style", "title", "align", "dir", "lang", "role", "aria-*", "data-*"],
      a: ["href", "name"],
      img: ["src", "alt", "width", "height"],
      td: ["colspan", "rowspan"],
      th: ["colspan", "rowspan", "scope"],
      ol: ["start"],
      details: ["open"],
      progress: ["value", "max"],
      meter: ["value", "min", "max", "low", "high", "optimum"],
      ...Object.fromEntries(MATHML.map((tag) => [tag, MATHML_ATTRIBUTES])),
      ...Object.fromEntries(SVG.map((tag) => [tag, SVG_ATTRIBUTES])),
    },
    allowedSchemes: ["http", "https", "mailto"],
    allowedSchemesByTag: { img: ["data"] },
    parseStyleAttributes: false,
    transformTags: {
      "*": (tagName, attribs) => {
        // a style can fetch too
        if (/url\s*\(|expression|@import|\\/i.test(attribs.style ?? "")) delete attribs.style;
        return { tagName, attribs };
      },
    },
    parser: { lowerCaseTags: true, lowerCaseAttributeNames: false },
  });
}
