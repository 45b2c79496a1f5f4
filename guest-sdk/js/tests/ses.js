// A connector that signs: Amazon SES's v2 API, with Logto's settings.

import { Failure, connector, mailTemplates, object, optional, post, text } from "../sdk/index.js";
import { sigv4 } from "../sdk/sigv4.js";

export default connector({
  about: {
    id: "ses",
    channel: "email",
    titles: { en: "SES" },
    descriptions: { en: "Signs." },
    hosts: ["email.{settings:/region}.amazonaws.com", "email.{settings:/region}.amazonaws.com.cn"],
    secretGrants: [{ setting: "/accessKeySecret", signing: true }],
  },

  settings: object({
    accessKeyId: text(),
    accessKeySecret: text(),
    region: text(),
    emailAddress: optional(text()),
    emailAddressIdentityArn: optional(text()),
    feedbackForwardingEmailAddress: optional(text()),
    feedbackForwardingEmailAddressIdentityArn: optional(text()),
    configurationSetName: optional(text()),
    templates: mailTemplates(),
  }),

  request(settings, message) {
    const { region } = settings;
    if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(region))
      throw Failure.invalidSettings("region", "is none");
    const { subject, body } = settings.templates.text(message);
    const domain = region.startsWith("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
    const request = post(`https://email.${region}.${domain}/v2/email/outbound-emails`).json({
      Content: {
        Simple: { Subject: { Data: subject, Charset: "utf8" }, Body: { Html: { Data: body } } },
      },
      FromEmailAddress: settings.emailAddress,
      FromEmailAddressIdentityArn: settings.emailAddressIdentityArn,
      Destination: { ToAddresses: [message.recipient] },
      FeedbackForwardingEmailAddress: settings.feedbackForwardingEmailAddress,
      FeedbackForwardingEmailAddressIdentityArn: settings.feedbackForwardingEmailAddressIdentityArn,
      ConfigurationSetName: settings.configurationSetName,
    });
    const key = { id: settings.accessKeyId, secret: settings.accessKeySecret };
    return sigv4(request, key, { region, service: "ses" });
  },

  receipt(response) {
    const id = response.json()?.MessageId;
    if (response.status !== 200 || !id) throw Failure.unreadable(response);
    return { providerMessageId: id };
  },
});
