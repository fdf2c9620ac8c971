// A local stand-in for Google Identity Services: google.accounts.oauth2.initCodeClient.
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

  function openPopup(config) {
    const fail = (type, message) => { if (config.error_callback) config.error_callback({ type, message }); };
    const left = Math.max(0, screenX + (outerWidth - 520) / 2), top = Math.max(0, screenY + (outerHeight - 680) / 2);
    const popup = open(consentURL(config, true), "_blank", `popup,width=520,height=680,left=${left},top=${top}`);
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

  window.google = window.google || {};
  google.accounts = google.accounts || {};
  google.accounts.oauth2 = Object.assign(google.accounts.oauth2 || {}, { initCodeClient });
})();
