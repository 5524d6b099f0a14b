const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
  "November", "December"];
const DAY_MS = 86_400_000;

/** Python's strftime in the C locale; an unknown directive stands as it is. @example strftime("%d %b %Y", date) */
export function strftime(format: string, date: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const hour = date.getHours() % 12 || 12;
  const start = Date.UTC(date.getFullYear(), 0, 1);
  const day = Math.round((Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) - start) / DAY_MS);
  const weekday = date.getDay();
  const values: Record<string, () => string> = { Y: () => String(date.getFullYear()),
    y: () => two(date.getFullYear() % 100), m: () => two(date.getMonth() + 1), d: () => two(date.getDate()),
    e: () => String(date.getDate()).padStart(2), H: () => two(date.getHours()), I: () => two(hour),
    M: () => two(date.getMinutes()), S: () => two(date.getSeconds()),
    f: () => String(date.getMilliseconds() * 1000).padStart(6, "0"), p: () => (date.getHours() < 12 ? "AM" : "PM"),
    A: () => DAYS[weekday], a: () => DAYS[weekday].slice(0, 3), B: () => MONTHS[date.getMonth()],
    b: () => MONTHS[date.getMonth()].slice(0, 3), h: () => MONTHS[date.getMonth()].slice(0, 3),
    j: () => String(day + 1).padStart(3, "0"), w: () => String(weekday), u: () => String(weekday || 7),
    U: () => two(Math.floor((day + 7 - weekday) / 7)), W: () => two(Math.floor((day + 7 - (weekday + 6) % 7) / 7)),
    z: () => "", Z: () => "", n: () => "\n", t: () => "\t", "%": () => "%",
    s: () => String(Math.floor(date.getTime() / 1000)), D: () => strftime("%m/%d/%y", date),
    F: () => strftime("%Y-%m-%d", date), T: () => strftime("%H:%M:%S", date), R: () => strftime("%H:%M", date),
    c: () => strftime("%a %b %e %H:%M:%S %Y", date), x: () => strftime("%m/%d/%y", date),
    X: () => strftime("%H:%M:%S", date), r: () => strftime("%I:%M:%S %p", date) };
  return format.replace(/%(-?)([A-Za-z%])/g, (whole, dash, letter) => {
    const value = Object.hasOwn(values, letter) ? values[letter]() : undefined;
    return value === undefined ? whole : dash ? value.replace(/^[0 ]+(?=\d)/, "") : value;
  });
}
