// A separate file, since the page's Content-Security-Policy forbids inline scripts.
window.SwaggerUIBundle({
  url: "/api/openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  displayRequestDuration: true,
  filter: true,
  // By default the viewer sends the document's URL to a public validator.
  validatorUrl: null,
});
