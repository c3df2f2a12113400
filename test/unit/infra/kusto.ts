import { createRequire } from "node:module";
import * as z from "zod";

/**
 * Checks queries with Kusto's own language service, against the columns that Azure Monitor documents for its tables
 * (https://learn.microsoft.com/azure/azure-monitor/reference/tables/apprequests and its neighbours).
 */

const common = "TimeGenerated: datetime, OperationName: string, OperationId: string, ParentId: string, Type: string";
const app = "AppRoleName: string, AppRoleInstance: string, Properties: dynamic, Measurements: dynamic, ItemCount: int";
const call = "Id: string, Name: string, Success: bool, ResultCode: string, DurationMs: real, PerformanceBucket: string";
const tables = {
  AppRequests: `${common}, ${app}, ${call}, Url: string, Source: string`,
  AppDependencies: `${common}, ${app}, ${call}, Target: string, DependencyType: string, Data: string`,
  AppMetrics: `${common}, ${app}, Name: string, Sum: real, Min: real, Max: real`,
  AppTraces: `${common}, ${app}, Message: string, SeverityLevel: int`,
  AppExceptions: `${common}, ${app}, ProblemId: string, ExceptionType: string, OuterMessage: string`,
};

const diagnostics = z.object({
  Count: z.number(),
  getItem: z.custom<(index: number) => { Message: string }>((value) => typeof value === "function"),
});

// The package has no types for its loader, which adds a global.
const load = createRequire(import.meta.url);
load("@kusto/language-service-next/bridge.min.js");
load("@kusto/language-service-next/Kusto.Language.Bridge.min.js");
// biome-ignore lint/suspicious/noExplicitAny: translated from C#, with constructors by number.
const language = (globalThis as any).Kusto.Language;
const database = new language.Symbols.DatabaseSymbol.$ctor1(
  "logs",
  Object.entries(tables).map(([name, columns]) => language.Symbols.TableSymbol.From(`(${columns})`).WithName(name)),
  false,
);
const globals = language.GlobalState.Default.WithDatabase(database);

/** Diagnostics of the language service for a query. */
export function faultsOfQuery(query: string): string[] {
  const found = language.KustoCode.ParseAndAnalyze(query, globals).GetDiagnostics();
  const { Count: count } = diagnostics.parse(found);
  return Array.from({ length: count }, (_, index) => String(found.getItem(index).Message));
}
