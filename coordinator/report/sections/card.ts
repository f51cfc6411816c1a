import { type Html, type HtmlValue, html } from "../html.ts";

export type Card = {
  id: string;
  title: string;
  /** One or two sentences on what is to be seen. */
  lead?: HtmlValue;
  body: HtmlValue;
  /** Takes the page's whole width. */
  wide?: boolean;
};

/** A titled part of the page. */
export function card({ id, title, lead, body, wide = false }: Card): Html {
  const intro = lead === undefined ? undefined : html`<p class="lead">${lead}</p>`;
  return html`<section class="card${wide ? " wide" : ""}" aria-labelledby="${id}-title" id="${id}">
<h2 id="${id}-title">${title}</h2>
${intro}
${body}
</section>
`;
}

/** Said in the place of something that cannot be shown. */
export function nothing(message: string): Html {
  return html`<p class="nothing">${message}</p>`;
}
