// {{title}}: one e-mail, posted as JSON to the provider's address.

import { connector, mailTemplates, object, post, text, url } from "../sdk/index.js";

export default connector({
  // What it is. Version, settings schema and README come from the files beside `src`.
  about: {
    id: "{{name}}",
    channel: "email",
    titles: { en: "{{title}}" },
    descriptions: { en: "Sends e-mail through {{title}}." },
    hosts: ["{settings:/endpoint}"],
  },

  // What an operator fills in; `token` is a placeholder here, the host puts the secret in its place.
  settings: object({ endpoint: url(), token: text(), from: text(), templates: mailTemplates() }),

  // How a message becomes a request.
  request(settings, message) {
    const content = settings.templates.text(message);
    return post(settings.endpoint).bearer(settings.token).json({
      from: settings.from,
      to: message.recipient,
      subject: content.subject,
      html: content.html,
      text: content.plain,
    });
  },

  // How a 2xx becomes a receipt. Any other response is a failure by its status code; a part `failure`
  // beside this one can say more, and so can `throw new Failure("rejected", "words")` in any part.
  receipt(response) {
    return { providerMessageId: response.json()?.id };
  },
});
