// connect has the functions at base act at Google for the user who is signed in to this app. idToken
// returns the user's ID token, as Firebase's getIdToken(auth.currentUser) does. This page is one of
// FRONT_ENDS.
export function connect(base, idToken) {
  const page = location.origin + location.pathname;

  // call returns a function's answer. Its error has a consent_url where the user has to be asked first.
  async function call(name, body) {
    const response = await fetch(`${base}/${name}?return_to=${encodeURIComponent(page)}`, {
      method: body ? "POST" : "GET",
      headers: {"Authorization": `Bearer ${await idToken()}`, "Content-Type": "application/json"},
      body: body && JSON.stringify(body),
    });
    const answer = await response.json();
    if (!response.ok) throw Object.assign(new Error(answer.message ?? answer.reason), answer);
    return answer;
  }

  // comeBack finishes what location.assign(consent_url) began. Call it when the page has loaded and the user
  // is known; it does nothing unless the browser comes from Google.
  async function comeBack(more) {
    const {code, state, error} = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
    if (!state) return;
    history.replaceState(null, "", page); // a code is good for one post
    if (error) throw new Error(`Google did not give permission (${error}).`);
    return call("oauth2callback", {code, state, ...more});
  }

  // popup asks in a window of Google's in place of the whole page, by the library of Google Identity
  // Services. Call it in a click, or the browser blocks the window.
  function popup(clientID, scopes) {
    return new Promise((resolve, reject) => google.accounts.oauth2.initCodeClient({
      client_id: clientID, scope: ["openid", "email", ...scopes].join(" "), ux_mode: "popup",
      callback: ({code, error}) => error ? reject(new Error(`Google did not give permission (${error}).`))
        : resolve(call("oauth2callback", {code, from: "popup"})),
      error_callback: ({type}) => reject(new Error(`Google's window did not answer (${type}).`)),
    }).requestCode());
  }

  return {call, comeBack, popup};
}
