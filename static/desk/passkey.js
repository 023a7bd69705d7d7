/* Passkeys on top of forms that work without: ask the browser, put its answer into the form's hidden field.
 *
 * A button [data-passkey] names how ("get" or "create"), where the question comes from (data-options), and
 * holds its words (data-wait, data-done, data-failed, data-without). With data-submit the form is sent at once.
 */
const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const named = (list) => list?.map((one) => ({ ...one, id: bytes(one.id) }));

async function question(address, form) {
  const answer = await fetch(address, {
    method: "POST",
    redirect: "error",
    headers: { "X-CSRFToken": form.elements.csrfmiddlewaretoken.value },
  });
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return answer.json();
}

async function get(options) {
  const publicKey = { ...options, challenge: bytes(options.challenge), allowCredentials: named(options.allowCredentials) };
  const found = await navigator.credentials.get({ publicKey });
  const { authenticatorData, clientDataJSON, signature, userHandle } = found.response;
  return {
    id: found.id,
    rawId: text(found.rawId),
    type: found.type,
    response: {
      authenticatorData: text(authenticatorData),
      clientDataJSON: text(clientDataJSON),
      signature: text(signature),
      userHandle: userHandle ? text(userHandle) : null,
    },
  };
}

async function create(options) {
  const publicKey = {
    ...options,
    challenge: bytes(options.challenge),
    user: { ...options.user, id: bytes(options.user.id) },
    excludeCredentials: named(options.excludeCredentials),
  };
  const made = await navigator.credentials.create({ publicKey });
  const { attestationObject, clientDataJSON } = made.response;
  return {
    id: made.id,
    rawId: text(made.rawId),
    type: made.type,
    response: {
      attestationObject: text(attestationObject),
      clientDataJSON: text(clientDataJSON),
      transports: made.response.getTransports?.() ?? [],
    },
  };
}

/* What else the form asks for must be there first: name and password before a log-in, a name for a new passkey. */
const ready = (form, code) => [...form.elements].every((field) => field === code || field.reportValidity());

for (const button of document.querySelectorAll("[data-passkey]")) {
  const form = button.form;
  const code = form.elements.token;
  const said = form.querySelector("[data-passkey-said]");
  const say = (words) => {
    said.textContent = words;
  };
  if (!window.PublicKeyCredential) {
    button.disabled = true;
    say(button.dataset.without);
    continue;
  }
  button.addEventListener("click", async () => {
    if (button.dataset.submit && !ready(form, code)) return;
    say(button.dataset.wait);
    try {
      const options = await question(button.dataset.options, form);
      const answer = await (button.dataset.passkey === "create" ? create(options) : get(options));
      form.elements.passkey.value = JSON.stringify(answer);
    } catch (error) {
      say(button.dataset.failed);
      return;
    }
    if (button.dataset.submit) {
      form.submit();
      return;
    }
    say(button.dataset.done);
    if (code) code.required = false;
    // a minute later the answer counts no more: better told before the button is pressed than after
    setTimeout(() => {
      form.elements.passkey.value = "";
      if (code) code.required = true;
      say(button.dataset.failed);
    }, 55_000);
  });
}
