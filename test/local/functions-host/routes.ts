/** Segments of a route template. */
type Segment =
  | { kind: "literal"; text: string }
  | { kind: "parameter"; name: string; optional: boolean }
  | { kind: "catchAll"; name: string };

export interface Route {
  functionName: string;
  /** For display: prefix and template, without a leading slash. */
  template: string;
  /** In upper case. Empty for every method. */
  methods: readonly string[];
  segments: readonly Segment[];
}

export interface RouteMatch {
  route: Route;
  /** Decoded values by parameter name, without absent optional parameters and catch-alls. */
  parameters: Record<string, string>;
}

/**
 * Reads a route template. Throws for unsupported parts, which no function of the app uses: inline constraints, defaults,
 * and segments of several parts.
 */
export function parseRoute(functionName: string, prefix: string, template: string, methods: readonly string[]): Route {
  const whole = [prefix, template].filter((part) => part !== "").join("/");
  if (/^[/~]|\?$/.test(template) || whole.includes("//")) {
    throw new Error(`Route "${whole}" of function "${functionName}" is not a valid template.`);
  }
  const segments = whole
    .split("/")
    .filter((segment) => segment !== "")
    .map((segment, index, all) => parseSegment(segment, index === all.length - 1, whole, functionName));
  const names = segments.flatMap((segment) => (segment.kind === "literal" ? [] : [segment.name.toLowerCase()]));
  if (new Set(names).size < names.length) {
    throw new Error(`Route "${whole}" of function "${functionName}" uses a parameter name twice.`);
  }
  return { functionName, template: whole, methods: methods.map((method) => method.toUpperCase()), segments };
}

function parseSegment(segment: string, last: boolean, template: string, functionName: string): Segment {
  if (!/[{}]/.test(segment)) {
    return { kind: "literal", text: segment.toLowerCase() };
  }
  const match = /^\{(\*{0,2})([A-Za-z_][\w-]*)(\??)\}$/.exec(segment);
  const [, stars = "", name = "", question = ""] = match ?? [];
  if (!match || ((stars || question) && !last) || (stars && question)) {
    throw new Error(`Segment "${segment}" of route "${template}" (function "${functionName}") is not supported here.`);
  }
  return stars ? { kind: "catchAll", name } : { kind: "parameter", name, optional: question !== "" };
}

/**
 * Orders routes from specific to general, segment by segment: literals before parameters, parameters before catch-alls,
 * and longer templates before shorter ones. (The real host leaves a parameter and a catch-all in the same last place in
 * arbitrary order: do not rely on it.)
 */
export function sortRoutes(routes: readonly Route[]): Route[] {
  return [...routes].sort(compareRoutes);
}

const ranks = { literal: 0, parameter: 1, catchAll: 2 } as const;

function compareRoutes(left: Route, right: Route): number {
  const length = Math.max(left.segments.length, right.segments.length);
  for (let index = 0; index < length; index++) {
    const leftSegment = left.segments[index];
    const rightSegment = right.segments[index];
    if (!leftSegment || !rightSegment) {
      return leftSegment ? -1 : 1;
    }
    const difference = ranks[leftSegment.kind] - ranks[rightSegment.kind];
    if (difference !== 0) {
      return difference;
    }
  }
  return 0;
}

/**
 * Finds the first of the sorted routes with the path (decoded, see `decodePath`) and the method. A route with the path but
 * another method is skipped, so that a catch-all gets requests with a wrong method.
 */
export function matchRoute(sorted: readonly Route[], method: string, path: string): RouteMatch | undefined {
  // One slash at the end is ignored.
  const pathSegments = path === "/" ? [] : path.slice(1).replace(/\/$/, "").split("/");
  for (const route of sorted) {
    if (route.methods.length === 0 || route.methods.includes(method.toUpperCase())) {
      const parameters = matchSegments(route.segments, pathSegments);
      if (parameters) {
        return { route, parameters };
      }
    }
  }
  return undefined;
}

/**
 * An empty segment matches only after the first segment of a catch-all, as in the real host's `RoutePatternMatcher`: a path
 * that begins with `//` matches no route at all.
 */
function matchSegments(segments: readonly Segment[], path: readonly string[]): Record<string, string> | undefined {
  const parameters: Record<string, string> = {};
  for (const [index, segment] of segments.entries()) {
    const value = path[index];
    if (segment.kind === "catchAll") {
      if (value === "") return undefined;
      const rest = path.slice(index).join("/");
      if (rest !== "") {
        parameters[segment.name] = rest;
      }
      return parameters;
    }
    if (value === undefined || value === "") {
      if (segment.kind === "parameter" && segment.optional && value === undefined) {
        continue;
      }
      return undefined;
    }
    if (segment.kind === "parameter") {
      parameters[segment.name] = value;
    } else if (segment.text !== value.toLowerCase()) {
      return undefined;
    }
  }
  return path.length > segments.length ? undefined : parameters;
}
