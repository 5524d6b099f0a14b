import { MoeError } from "../errors.js";

const REASONS = new Map(Object.entries({
  EROFS: "its disk can only be read",
  EACCES: "this user may not write there",
  EPERM: "this user may not write there",
  ENOENT: "its folder is not there",
  ENOTDIR: "a file stands where a folder has to be",
  EEXIST: "a file stands where a folder has to be",
  EISDIR: "it is a folder",
  ENOTEMPTY: "something came into it meanwhile",
  EBUSY: "something else uses it",
  EXDEV: "it is on another disk than its place",
  EIO: "the disk failed",
  EFBIG: "the file system holds no file of that size",
  EMFILE: "this process has too many files open",
  ENAMETOOLONG: "the name is too long",
  EDQUOT: "the quota of this user is used up",
}));

/** The error for a place that the system does not let us write to. `disk-full`, or `cannot-write` with the reason. */
export function cannotWrite(verb: string, path: string, cause: unknown): MoeError {
  if (cause instanceof MoeError) return cause;
  const { code = "", message } = cause as NodeJS.ErrnoException;
  if (code === "ENOSPC")
    return new MoeError("disk-full",
      `${verb}: the disk of ${path} is full; accepted is a disk with room for all of it. Free some space or choose `
        + "another place.", { cause });
  return new MoeError("cannot-write",
    `${verb}: ${path} cannot be written (${code || message}${
      REASONS.has(code) ? `: ${REASONS.get(code)}` : ""
    }); accepted is a place that this user can write to. Give another.`, { cause });
}
