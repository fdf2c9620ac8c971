// What a form does beyond what browsers do by themselves. Without scripts every form works all the same.
{
  // Fields that ask for it are filled with what this browser knows: its time zone, and full hours to come. Over
  // that the browser puts what somebody typed and comes back to [HTML: restore persisted state].
  for (const field of document.querySelectorAll("[data-zone], [data-hours]")) {
    if ("zone" in field.dataset) {
      field.value = Intl.DateTimeFormat().resolvedOptions().timeZone || field.value;
    } else {
      const time = new Date();
      time.setHours(time.getHours() + Number(field.dataset.hours), 0, 0, 0);
      field.value = new Date(time - time.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
    }
  }

  // A form is sent once, however often its button is pressed. That holds for half a minute, as long as an answer
  // may take, or until the person comes back to the page: the browser's Stop button makes no event.
  const sent = new Map();
  const idle = (form) => {
    sent.get(form)?.();
    sent.delete(form);
  };
  for (const button of document.querySelectorAll("form button")) button.ariaLive = "polite";
  addEventListener("pageshow", () => [...sent.keys()].forEach(idle));
  addEventListener("submit", (event) => {
    const form = event.target, button = event.submitter ?? form.querySelector("button");
    if (sent.has(form)) return event.preventDefault();
    const label = button.textContent;
    button.textContent = "Working…";
    sent.set(form, () => { button.textContent = label; });
    const file = form.querySelector("[type=file]")?.files[0];
    if (file?.size > 1 << 20) {
      event.preventDefault();
      upload(form, button);
    } else {
      setTimeout(idle, 30000, form);
    }
  });

  // A file that takes a while shows how far it is.
  const upload = (form, button) => {
    const action = form.getAttribute("action"), request = new XMLHttpRequest(), bar = document.createElement("progress");
    bar.ariaLabel = "Upload";
    bar.value = 0;
    button.after(bar);
    request.upload.onprogress = (event) => { bar.value = event.loaded / event.total; };
    request.onload = () => {
      if (request.responseURL !== action) {
        location = request.responseURL;
        return;
      }
      document.open();
      document.write(request.responseText);
      document.close();
    };
    request.onerror = () => {
      const text = document.createElement("p");
      text.className = "notice alert";
      text.role = "alert";
      text.textContent = "The connection broke. What you entered is still here: please send it again.";
      bar.replaceWith(text);
      idle(form);
    };
    request.open("POST", action);
    request.setRequestHeader("Accept", "text/html");
    request.send(new FormData(form));
  };
}
