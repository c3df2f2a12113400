/** On its own, so that loading it late brings no more of the library than it needs. */
export { DefaultAzureCredential } from "@azure/identity";
