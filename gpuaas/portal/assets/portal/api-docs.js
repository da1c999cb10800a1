// Shows the OpenAPI document of this installation, and follows the page's theme.
(() => {
  "use strict";
  const root = document.documentElement;
  const follow = () => root.classList.toggle("dark-mode", root.dataset.bsTheme === "dark");
  new MutationObserver(follow).observe(root, { attributeFilter: ["data-bs-theme"] });
  follow();
  addEventListener("DOMContentLoaded", () => {
    const place = document.getElementById("api-docs");
    const token = document.querySelector("#api-docs-csrf [name=csrfmiddlewaretoken]").value;
    SwaggerUIBundle({
      domNode: place,
      url: place.dataset.document,
      deepLinking: true,
      docExpansion: "none",
      defaultModelsExpandDepth: -1,
      displayRequestDuration: true,
      filter: true,
      tagsSorter: "alpha",
      validatorUrl: null,
      requestSnippetsEnabled: false,
      // What is tried out here is done as the person who is logged in, unless a token is given.
      requestInterceptor: (request) => {
        if (!request.headers.Authorization) request.headers["X-CSRFToken"] = token;
        return request;
      },
    });
  });
})();
