// What this page shows. What an app needs of it is in connect.js.
import {connect} from "./connect.js";

const {functions, signIn, client, oneTap} = document.body.dataset;
const at = (id) => document.getElementById(id);
const kept = sessionStorage; // the app's sign-in, and what the user wanted before Google's page
const app = connect(functions, () => kept.getItem("idToken"));

function say(text, className = "notice") {
  const p = document.createElement("p");
  p.textContent = text;
  at("result").className = className;
  at("result").replaceChildren(p);
}

function show(value) {
  const pre = document.createElement("pre");
  pre.textContent = JSON.stringify(value, null, 2);
  at("result").className = "";
  at("result").replaceChildren(pre);
}

function button(text, click) {
  const b = document.createElement("button");
  b.textContent = text;
  b.addEventListener("click", click);
  at("result").append(b, " ");
}

// run calls a function and shows what came of it.
async function run(name, body) {
  say("…");
  try {
    show(await app.call(name, body));
  } catch (error) {
    offer(error, name, body);
  }
  tellState();
}

// tellState says which Google account is connected, and what it permits. It does so below all that can be clicked, which
// must not move when the answer comes.
async function tellState() {
  const permitted = new Set();
  try {
    const {email, status, scopes} = await app.call("account");
    at("state").textContent = status === "active" ? `Connected with ${email}, which permits to` : `${email} has to give its permission again.`;
    if (status === "active") scopes.forEach((scope) => permitted.add(scope));
  } catch (error) {
    at("state").textContent = error.error === "consent_required" ? "No Google account is connected yet." : error.message;
  }
  for (const item of at("permissions").children) item.hidden = !permitted.has(item.dataset.scope);
  at("permissions").hidden = permitted.size === 0;
  at("account").hidden = false;
}

// offer tells of an error, with the ways on that it has. replace says that the user wants another Google
// account to take the place of the one that is connected.
function offer(error, name, body, replace = false) {
  say(error.message, "notice alert");
  if (!error.consent_url) return;
  replace ||= error.error === "other_account";
  button(replace ? "Use another account from now on" : "Give permission on Google’s page", () => {
    kept.setItem("wanted", JSON.stringify({name, body, replace}));
    location.assign(error.consent_url);
  });
  if (error.missing_scopes?.length && !replace) {
    button("Give permission in a window", () => app.popup(client, error.missing_scopes)
      .then(() => run(name, body), (error) => offer(error, name, body)));
  }
}

async function signedIn(idToken) {
  kept.setItem("idToken", idToken);
  const claims = JSON.parse(atob(idToken.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
  at("who").textContent = claims.email;
  at("signed-out").hidden = true;
  at("signed-in").hidden = false;
  const {name, body, replace} = JSON.parse(kept.getItem("wanted") ?? "{}");
  try {
    const connected = await app.comeBack(replace && {replace});
    if (connected) show(connected);
    if (connected && name) await run(name, body);
    else tellState();
  } catch (error) {
    offer(error, name, body, replace);
  }
}

for (const b of document.querySelectorAll("[data-call]")) {
  b.addEventListener("click", () => run(b.dataset.call, b.dataset.body && JSON.parse(b.dataset.body)));
}

for (const b of document.querySelectorAll("[data-user]")) {
  b.addEventListener("click", async () => {
    const response = await fetch(signIn, {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify({user: b.dataset.user})});
    signedIn((await response.json()).id_token);
  });
}

at("sign-out").addEventListener("click", () => {
  kept.clear();
  location.assign(location.pathname);
});

if (kept.getItem("idToken")) {
  signedIn(kept.getItem("idToken"));
} else if (oneTap) {
  google.accounts.id.initialize({client_id: client, callback: ({credential}) => signedIn(credential)});
  google.accounts.id.renderButton(at("google"), {type: "standard"});
  google.accounts.id.prompt();
}
