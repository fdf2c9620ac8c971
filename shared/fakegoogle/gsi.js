// A local stand-in for Google Identity Services: google.accounts.oauth2.initCodeClient for permissions, and
// google.accounts.id (One Tap and the sign-in button) for an ID token.
(() => {
  "use strict";
  const library = document.currentScript.src;
  const base = library.slice(0, library.lastIndexOf("/gsi/client"));
  const origin = new URL(library).origin;

  function consentURL(config, popup) {
    const u = new URL(base + "/o/oauth2/v2/auth");
    const set = (name, value) => { if (value !== undefined && value !== "") u.searchParams.set(name, value); };
    set("client_id", config.client_id);
    set("scope", config.scope);
    set("response_type", "code");
    set("access_type", "offline");
    set("include_granted_scopes", config.include_granted_scopes === false ? "false" : "true");
    set("state", config.state);
    set("login_hint", config.login_hint);
    if (config.select_account) set("prompt", "select_account");
    if (popup) {
      set("redirect_uri", "postmessage");
      set("origin", location.origin);
      set("ux_mode", "popup");
    } else {
      set("redirect_uri", config.redirect_uri);
    }
    return u.href;
  }

  function openWindow(url) {
    const left = Math.max(0, screenX + (outerWidth - 520) / 2), top = Math.max(0, screenY + (outerHeight - 680) / 2);
    return open(url, "_blank", `popup,width=520,height=680,left=${left},top=${top}`);
  }

  function openPopup(config) {
    const fail = (type, message) => { if (config.error_callback) config.error_callback({ type, message }); };
    const popup = openWindow(consentURL(config, true));
    if (!popup) {
      fail("popup_failed_to_open", "Failed to open popup window. Maybe blocked by the browser?");
      return;
    }
    let watch;
    const finish = () => { clearInterval(watch); removeEventListener("message", receive); };
    const receive = (event) => {
      if (event.source !== popup || event.origin !== origin || event.data?.type !== "fakegoogle-answer") return;
      finish();
      config.callback(event.data.answer);
    };
    addEventListener("message", receive);
    watch = setInterval(() => {
      if (!popup.closed) return;
      clearInterval(watch);
      // The answer may still be on its way when the window is gone.
      watch = setTimeout(() => { finish(); fail("popup_closed", "Popup window closed"); }, 200);
    }, 200);
  }

  function initCodeClient(config) {
    if (!config || !config.client_id) throw new Error("Missing required parameter client_id.");
    if (!config.scope) throw new Error("Missing required parameter scope.");
    const popup = (config.ux_mode || "popup") === "popup";
    if (popup && typeof config.callback !== "function") throw new Error("Missing required parameter callback.");
    if (!popup && !config.redirect_uri) throw new Error("Missing required parameter redirect_uri.");
    return { requestCode: () => (popup ? openPopup(config) : location.assign(consentURL(config, false))) };
  }

  let idConfig; // of id.initialize
  let prompted; // the frame of id.prompt, while it is shown

  function initialize(config) {
    if (!config || !config.client_id) throw new Error("Missing required parameter client_id.");
    idConfig = config;
  }

  function selectURL(by) {
    if (!idConfig) throw new Error("google.accounts.id.initialize was not called.");
    const u = new URL(base + "/gsi/select");
    u.searchParams.set("client_id", idConfig.client_id);
    u.searchParams.set("origin", location.origin);
    u.searchParams.set("select_by", by);
    if (idConfig.nonce) u.searchParams.set("nonce", idConfig.nonce);
    return u.href;
  }

  // credentialFrom waits for the answer of a frame or window of ours and hands it to the callback.
  function credentialFrom(source, done) {
    const receive = (event) => {
      if (event.source !== source() || event.origin !== origin || event.data?.type !== "fakegoogle-answer") return;
      removeEventListener("message", receive);
      done();
      if (event.data.answer.credential) idConfig.callback(event.data.answer);
    };
    addEventListener("message", receive);
  }

  function cancel() {
    if (prompted) prompted.remove();
    prompted = undefined;
  }

  function prompt() {
    const src = selectURL("user");
    cancel();
    prompted = document.createElement("iframe");
    prompted.title = "Sign in with the local stand-in for Google";
    prompted.src = src;
    Object.assign(prompted.style, { position: "fixed", top: "16px", right: "16px", width: "min(390px, 92vw)", height: "420px", border: "0", borderRadius: "12px", boxShadow: "0 4px 24px rgb(0 0 0 / 30%)", zIndex: "9999", colorScheme: "light dark" });
    const frame = prompted;
    credentialFrom(() => frame.contentWindow, cancel);
    document.body.append(frame);
  }

  function renderButton(parent, options) {
    const url = selectURL("btn");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = options?.text === "continue_with" ? "Continue with Google" : "Sign in with Google";
    button.addEventListener("click", () => {
      options?.click_listener?.();
      const popup = openWindow(url);
      if (popup) credentialFrom(() => popup, () => {});
    });
    parent.replaceChildren(button);
  }

  window.google = window.google || {};
  google.accounts = google.accounts || {};
  google.accounts.oauth2 = Object.assign(google.accounts.oauth2 || {}, { initCodeClient });
  google.accounts.id = Object.assign(google.accounts.id || {}, { initialize, prompt, renderButton, cancel, disableAutoSelect: () => {} });
})();
