import dns from "node:dns";
import Module from "node:module";

/**
 * Preloaded into the app's process (`NODE_OPTIONS=--import`). Resolves loopback names only, and prints every other name
 * that the app tries to resolve, and at the exit every file that it has loaded.
 */

const lookup = dns.lookup;
Object.assign(dns, {
  lookup(...args: Parameters<typeof lookup>) {
    const [host] = args;
    if (/^(localhost|127\..*|::1)$/.test(host)) return Reflect.apply(lookup, dns, args);
    process.stdout.write(`outward ${host}\n`);
    const callback: unknown = args.at(-1);
    if (typeof callback === "function") {
      queueMicrotask(() => callback(Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: "ENOTFOUND" })));
    }
    return undefined;
  },
});

process.on("exit", () => {
  const cache: object = Reflect.get(Module, "_cache");
  for (const file of Object.keys(cache)) process.stdout.write(`loaded ${file}\n`);
});
