import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { privateNetworkProviders, providers, registerProviders } from "../../../infra/hooks/preprovision.mjs";
import { listFiles, readBicep } from "./bicep.ts";

/** A fake subscription in which a registration takes several polls. */
function makeSubscription(registered: readonly string[], pollsToRegister = 2, registerStatus = 200) {
  const states = new Map(registered.map((name) => [name, 0]));
  const calls: string[] = [];
  let waits = 0;
  return {
    calls,
    waits: () => waits,
    options: {
      subscriptionId: "sub-1",
      request: async (method: "GET" | "POST", url: string) => {
        const { pathname, searchParams } = new URL(url);
        assert.equal(searchParams.get("api-version"), "2021-04-01");
        const [, name = "", action = ""] =
          /^\/subscriptions\/sub-1\/providers\/([\w.]+)(\/register)?$/.exec(pathname) ?? assert.fail(pathname);
        calls.push(`${method} ${name}${action}`);
        if (method === "POST") {
          if (registerStatus === 200) states.set(name, pollsToRegister);
          return { status: registerStatus, body: {} };
        }
        const left = states.get(name);
        if (left !== undefined && left > 0) states.set(name, left - 1);
        return { status: 200, body: { registrationState: left === 0 ? "Registered" : "Registering" } };
      },
      wait: async () => {
        waits += 1;
      },
      print: () => {},
    },
  };
}

describe("registering resource providers", () => {
  test("changes nothing if all are registered", async () => {
    const { calls, options } = makeSubscription(["A.B", "C.D"]);
    await registerProviders({ ...options, namespaces: ["A.B", "C.D"] });
    assert.deepEqual(calls, ["GET A.B", "GET C.D"]);
  });

  test("registers a missing one and waits until it is registered", async () => {
    const { calls, waits, options } = makeSubscription(["A.B"]);
    await registerProviders({ ...options, namespaces: ["A.B", "C.D"] });
    assert.deepEqual(calls.slice(0, 3), ["GET A.B", "GET C.D", "POST C.D/register"]);
    assert.equal(waits(), 2);
  });

  test("prints the az command if the account has no permission", async () => {
    const { options } = makeSubscription([], 0, 403);
    const advice = /status 403.*az provider register --namespace C\.D --wait/;
    await assert.rejects(registerProviders({ ...options, namespaces: ["C.D"] }), advice);
  });

  test("gives up after ten minutes", async () => {
    const { waits, options } = makeSubscription([], Number.POSITIVE_INFINITY);
    await assert.rejects(registerProviders({ ...options, namespaces: ["C.D"] }), /still not registered/);
    assert.equal(waits() * 5, 595);
  });
});

test("the providers are those of the Bicep files; network providers only with PRIVATE_NETWORK", () => {
  const namespaces = (paths: readonly string[]) => {
    const found = paths.flatMap((path) => [...readBicep(path).tree.text.matchAll(/'(Microsoft\.\w+)\/[\w/@.-]+'/g)]);
    const always = ["Microsoft.Authorization", "Microsoft.Resources"];
    return new Set(found.map(([, name = ""]) => name).filter((name) => !always.includes(name)));
  };
  const files = listFiles(".bicep");
  const ofNetwork = files.filter((path) => /network|private/.test(path));
  const others = namespaces(files.filter((path) => !ofNetwork.includes(path)));
  assert.deepEqual([...others].sort(), providers);
  assert.deepEqual([...namespaces(ofNetwork)].filter((name) => !others.has(name)).sort(), privateNetworkProviders);
});
