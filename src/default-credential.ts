/** A separate file, so that the lazily loaded chunk contains only this part of the library. */
export { DefaultAzureCredential } from "@azure/identity";
