type Kind = "string" | "number" | "boolean" | "object";

const CODE: Record<string, Kind> = { code: "string", cursor_pos: "number", detail_level: "number" };
const COMM: Record<string, Kind> = { comm_id: "string", target_name: "string" };

/** What the kernel reads of a message, by its type. */
const FIELDS = new Map<string, Record<string, Kind>>(Object.entries<Record<string, Kind>>({
  execute_request: { ...CODE, silent: "boolean", store_history: "boolean", stop_on_error: "boolean",
    allow_stdin: "boolean", user_expressions: "object" },
  complete_request: CODE,
  inspect_request: CODE,
  is_complete_request: CODE,
  history_request: { hist_access_type: "string", pattern: "string", session: "number", start: "number", stop: "number",
    n: "number", unique: "boolean", output: "boolean" },
  comm_info_request: COMM,
  comm_open: COMM,
  comm_msg: COMM,
  comm_close: COMM,
  shutdown_request: { restart: "boolean" },
  input_reply: { value: "string" },
}));

/**
 * The content of a message with the fields that the kernel reads as it expects them; a null counts as absent.
 * @throws Error that names the first field of another kind
 */
export function checkedContent(type: string, content: Record<string, any>): Record<string, any> {
  const checked = { ...content };
  for (const [name, kind] of Object.entries(FIELDS.get(type) ?? {})) {
    const value: unknown = checked[name];
    if (value === undefined || value === null) delete checked[name];
    else if (typeof value !== kind) {
      const error = new Error(
        `${type}: ${name} is ${Array.isArray(value) ? "an array" : `of type ${typeof value}`}; `
          + `accepted is ${kind}.`,
      );
      throw Object.assign(error, { name: "BadRequest" });
    }
  }
  return checked;
}
