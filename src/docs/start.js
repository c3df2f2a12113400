// A file of its own, as the page's Content-Security-Policy lets no inline script run.
window.SwaggerUIBundle({
  url: "/api/openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  displayRequestDuration: true,
  filter: true,
  // Without it the viewer would ask a validator on the internet.
  validatorUrl: null,
});
