// Signs in with Google in a popup window, and asks for one more permission the same way.
const {clientId, callback, email} = document.getElementById("google").dataset;
const result = document.getElementById("result");

// ask has Google open its window. It has to be called from a click, or the browser blocks the window.
function ask(scope, hint) {
  google.accounts.oauth2.initCodeClient({
    client_id: clientId,
    scope: `openid email ${scope}`,
    login_hint: hint,
    ux_mode: "popup",
    callback: finish,
    error_callback: ({type}) => say(type === "popup_closed"
      ? "The window was closed before you decided. Nothing was changed."
      : "The window did not open. Allow popups for this page and try again."),
  }).requestCode();
}

// finish hands the code to the server, which answers who signed in and what was permitted.
async function finish({code, error}) {
  if (error) return say("You did not give permission. What you gave before is as it was.");
  const response = await fetch(callback, {
    method: "POST",
    headers: {"Content-Type": "application/json", "X-Requested-With": "XmlHttpRequest"},
    body: JSON.stringify({code}),
  });
  const answer = await response.json();
  if (response.status === 401) return location.assign(`${answer.consent_url}?return_to=/popup`); // Google asks on a whole page
  if (!response.ok) return say(answer.message);
  show(answer);
}

// The rest is this page's own.

let hint = email;

for (const button of document.querySelectorAll("#google button")) {
  const {scope} = button.dataset; // none for the sign-in, which is with any account
  button.addEventListener("click", () => window.google ? ask(scope, scope && hint) : say("Google’s script did not load. Is it blocked?"));
}

function say(text) {
  result.className = "notice";
  result.textContent = text;
}

function show({email, scopes}) {
  hint = email;
  document.getElementById("add-calendar").disabled = false;
  document.querySelector("header .account").textContent = `Signed in as ${email}`;
  say(`You are signed in as ${email}, and permitted:`);
  const list = result.appendChild(document.createElement("ul"));
  for (const scope of scopes) list.appendChild(document.createElement("li")).textContent = scope;
}
