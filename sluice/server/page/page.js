// The page: what a person drops, records or types goes to the server; what comes back is shown.

import { draw, widthOf } from "./drawing.js";
import { canRecord, record } from "./microphone.js";

const READINGS = 5;
const LONGEST_SUMMARY = 300; // characters that are read out at once
const $ = (id) => document.getElementById(id);
const audio = $("audio");
let server = { hears: false, tags: false, key_needed: false, max_upload_bytes: 0, max_seconds: 0 };
let current = null; // {file, pictures, words} of what is shown
let asking = new AbortController();
let stopRecording = null;
const slotColours = new Map();

// --- asking the server

async function ask(path, options = {}) {
  const headers = { ...options.headers };
  if ($("key").value) headers.Authorization = `Bearer ${$("key").value}`;
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server cannot be reached.");
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  if (response.status === 401) $("key").focus();
  throw new Error(answer.error ? answer.error.message : `The server answered ${response.status}.`);
}

function form(file, fields = {}) {
  const body = new FormData();
  body.append("file", file);
  Object.entries(fields).forEach(([name, value]) => body.append(name, value));
  return body;
}

function post(path, body, signal, headers = {}) {
  return ask(path, { method: "POST", body, signal, headers });
}

/** An understanding, or of a server without a tagger a transcript in the same shape. */
async function understand(file, signal, alternatives = 0) {
  if (server.tags) return post("v1/understand", form(file, { alternatives }), signal);
  const heard = await post("v1/audio/transcriptions", form(file, { response_format: "verbose_json" }), signal);
  const words = heard.words.map((word) => ({ ...word, text: word.word }));
  return { text: heard.text, written_text: heard.text, words, slots: [], intent: null, alternatives: [] };
}

// --- saying how it stands

function say(text, isError = false) {
  $("status").textContent = text;
  $("status").classList.toggle("error", isError);
}

async function attempt(work) {
  asking.abort();
  asking = new AbortController();
  const { signal } = asking;
  $("hearing").setAttribute("aria-busy", "true");
  try {
    await work(signal);
  } catch (error) {
    if (error.name !== "AbortError") say(error.message, true);
  } finally {
    if (signal === asking.signal) $("hearing").removeAttribute("aria-busy");
  }
}

function summary(found) {
  if (!found.text) return "Nothing was said.";
  const parts = [`Understood: ${found.written_text || found.text}.`];
  if (found.intent) parts.push(`Intent: ${plain(found.intent)}.`);
  if (found.slots.length) parts.push(`Slots: ${found.slots.map((slot) => `${plain(slot.label)} ${slot.written || slot.text}`).join(", ")}.`);
  const whole = parts.join(" ");
  return whole.length <= LONGEST_SUMMARY ? whole : `${whole.slice(0, LONGEST_SUMMARY)} …`;
}

const plain = (name) => name.replaceAll("_", " ");
const percent = (share) => `${(100 * share).toFixed(1)} %`;

// --- showing what was understood

function element(name, content = "", className = "") {
  const made = document.createElement(name);
  made.textContent = content;
  made.className = className;
  return made;
}

function slotClass(label) {
  if (!slotColours.has(label)) slotColours.set(label, slotColours.size % 8);
  return `slot slot-${slotColours.get(label)}`;
}

/** A text with its slots coloured and named; `pieces` are {label, start, end} in order. */
function marked(text, pieces) {
  const parts = [];
  let position = 0;
  for (const { label, start, end } of pieces) {
    parts.push(characters(text, position, start));
    const slot = element("span", characters(text, start, end), slotClass(label));
    slot.append(element("small", plain(label)));
    parts.push(slot);
    position = end;
  }
  parts.push(characters(text, position));
  return parts;
}

/** Places count characters, as the server does, and not halves of them. */
function characters(text, start, end) {
  return [...text].slice(start, end).join("");
}

/** The words that were heard, each a button that plays from there, in the colours of their slots. */
function spokenWords(found) {
  const parts = [];
  let position = 0, slot = null, holder = null;
  for (const word of found.words) {
    const inside = found.slots.find((each) => each.start < position + [...word.text].length && each.end > position);
    if (!inside || inside !== slot) {
      holder = inside ? element("span", "", slotClass(inside.label)) : null;
      if (parts.length) parts.push(" ");
      if (holder) parts.push(holder);
    } else {
      holder.append(" ");
    }
    const button = element("button", word.text, "word");
    button.type = "button";
    button.title = `${word.start.toFixed(2)} s to ${word.end.toFixed(2)} s, confidence ${percent(word.confidence)}`;
    button.addEventListener("click", () => play(word.start));
    if (holder) holder.append(button);
    else parts.push(button);
    slot = inside || null;
    position += [...word.text].length + 1;
  }
  return parts;
}

function show(found, name = "") {
  $("result").hidden = false;
  $("result-title").textContent = name ? `Result: ${name}` : "Result";
  $("intent").hidden = !found.intent;
  if (found.intent) {
    const name = element("b", plain(found.intent));
    $("intent").replaceChildren("Intent: ", name, ` ${percent(found.intent_confidence)}`);
  }
  const written = found.slots.map((slot) => ({ label: slot.label, start: slot.written_start, end: slot.written_end }));
  if (found.words) {
    $("written").replaceChildren(...(server.tags ? marked(found.written_text, written) : []));
    $("spoken").replaceChildren(...spokenWords(found));
  } else {
    $("written").replaceChildren(...marked(found.text, found.slots));
    $("spoken").replaceChildren();
  }
  $("slots").hidden = !found.slots.length;
  $("slots").classList.toggle("typed", !found.words);
  $("slots").tBodies[0].replaceChildren(...found.slots.map(slotRow));
  say(summary(found));
}

function slotRow(slot) {
  const time = slot.start_seconds === undefined ? "" : `${slot.start_seconds.toFixed(2)}–${slot.end_seconds.toFixed(2)} s`;
  const row = element("tr");
  const name = element("th");
  name.scope = "row";
  name.append(element("span", plain(slot.label), slotClass(slot.label)));
  const cells = [slot.written || slot.text, slot.text, slot.value || "", time, percent(slot.confidence)];
  row.append(name, ...cells.map((text) => element("td", text)));
  return row;
}

function showReadings(found) {
  const rows = found.alternatives.map((reading) => {
    const row = element("li");
    const written = reading.slots.map((slot) => ({ label: slot.label, start: slot.written_start, end: slot.written_end }));
    const said = element("p", "", "said");
    said.append(...marked(reading.written_text, written));
    row.append(said, element("p", `heard: ${reading.text}; probability that all is right: ${reading.confidence.toPrecision(2)}`, "note"));
    return row;
  });
  $("readings").replaceChildren(...(rows.length ? rows : [element("li", "There is no other reading.")]));
  openReadings(true);
}

function openReadings(open) {
  $("readings").hidden = !open;
  $("more").setAttribute("aria-expanded", String(open));
}

// --- hearing a file

function hear(file, wasChosen = false) {
  if (!file) return;
  if (!wasChosen) $("file").value = ""; // else it would name a file that is not shown
  if (file.size > server.max_upload_bytes) {
    say(`${file.name} is larger than the ${(server.max_upload_bytes / 2 ** 20).toFixed(1)} MB that the server takes.`, true);
    return;
  }
  attempt(async (signal) => {
    clear();
    say(`Listening to ${file.name} …`);
    load(file);
    const drawing = post("v1/posteriors", form(file), signal).catch(() => null); // the words say what was wrong
    const found = await understand(file, signal);
    current = { file, words: found.words, pictures: null };
    show(found, file.name);
    $("sound").hidden = false;
    $("readings-box").hidden = !server.tags;
    current.pictures = await drawing;
    if (current.pictures && !signal.aborted) showPictures();
  });
}

function clear() {
  $("result").hidden = $("pictures").hidden = $("sound").hidden = $("readings-box").hidden = true;
  openReadings(false);
  current = null;
}

function load(file) {
  audio.pause();
  if (audio.src) URL.revokeObjectURL(audio.src);
  $("audio-note").hidden = true;
  audio.hidden = false;
  audio.src = URL.createObjectURL(file);
}

function showPictures() {
  $("pictures").hidden = false;
  const { pictures, words } = current;
  const beginning = pictures.drawn_seconds < pictures.duration_seconds;
  $("pictures-note").textContent = beginning ? `Of ${pictures.duration_seconds.toFixed(0)} seconds the first ${pictures.drawn_seconds.toFixed(0)} are drawn.` : "";
  $("waveform").setAttribute("aria-label", `Waveform of ${pictures.drawn_seconds.toFixed(1)} seconds; words: ${words.map((word) => `${word.text} at ${word.start.toFixed(1)}`).join(", ")}`);
  $("spectrogram").setAttribute("aria-label", `Mel spectrogram of ${pictures.drawn_seconds.toFixed(1)} seconds`);
  $("posteriors").setAttribute("aria-label", `Posterior of each character over time; emitted: ${pictures.emitted.map((each) => each.symbol).join("")}`);
  redraw();
}

function redraw() {
  if (!current || !current.pictures) return;
  const width = widthOf(current.pictures.drawn_seconds, $("scroll").clientWidth);
  draw(current.pictures, current.words, width);
  follow();
}

// --- playing

function play(seconds) {
  audio.currentTime = seconds;
  audio.play().catch(() => {}); // what cannot be played has its note
}

/** Mark the word that is being said, and where that is in the pictures. */
function follow() {
  if (!current) return;
  const time = audio.currentTime;
  const marked = !audio.paused || time > 0;
  const buttons = $("spoken").querySelectorAll(".word");
  current.words.forEach((word, number) => {
    buttons[number].classList.toggle("now", marked && time >= word.start && time < word.end);
  });
  const pictures = current.pictures;
  $("playhead").hidden = !(marked && pictures && time <= pictures.drawn_seconds);
  if (pictures) {
    const x = (time / pictures.drawn_seconds) * $("waveform").clientWidth;
    $("playhead").style.transform = `translateX(${x}px)`;
    keepInSight(x);
  }
}

function keepInSight(x) {
  const box = $("scroll");
  if (audio.paused || box.scrollWidth <= box.clientWidth) return;
  if (x < box.scrollLeft || x > box.scrollLeft + box.clientWidth - 40) box.scrollLeft = x - 40;
}

function tick() {
  follow();
  if (!audio.paused) requestAnimationFrame(tick);
}

// --- recording

async function toggleRecording() {
  if (stopRecording) {
    const stop = stopRecording;
    stopRecording = null;
    setRecording(false);
    try {
      hear(await stop());
    } catch {
      say("The recording cannot be read; is it empty?", true);
    }
    return;
  }
  try {
    stopRecording = await record(server.max_seconds, toggleRecording);
    setRecording(true);
  } catch (error) {
    say(`No microphone: ${error.message}`, true);
  }
}

function setRecording(on) {
  $("record").setAttribute("aria-pressed", String(on));
  $("record").textContent = on ? "Stop and listen" : "Record";
  say(on ? "Recording …" : "");
}

// --- putting it together

async function start() {
  try {
    server = await ask("health");
  } catch (error) {
    say(error.message, true);
    return;
  }
  const can = [server.hears && "hears speech", server.tags && "finds slots"].filter(Boolean).join(" and ");
  $("serving").textContent = `This server ${can}. It keeps nothing of what you send.`;
  $("key-field").hidden = !server.key_needed;
  $("hearing").hidden = !server.hears;
  $("tagging").hidden = !server.tags;
  if (server.hears && !canRecord()) {
    $("record").disabled = true;
    $("record-note").hidden = false;
    $("record-note").textContent = "Recording needs a microphone, and this page over https or from localhost.";
  }
}

function tagSentence() {
  const text = $("sentence").value.trim();
  if (!text) return;
  attempt(async (signal) => {
    clear();
    audio.pause();
    const headers = { "Content-Type": "application/json" };
    show(await post("v1/tag", JSON.stringify({ text }), signal, headers));
  });
}

function addDropping() {
  const over = (on) => $("drop").classList.toggle("over", on);
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    over(server.hears);
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget || over(false));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    over(false);
    if (server.hears) hear(event.dataTransfer.files[0]);
  });
}

function addListeners() {
  $("file").addEventListener("change", () => hear($("file").files[0], true));
  $("record").addEventListener("click", toggleRecording);
  $("tag").addEventListener("click", tagSentence);
  $("sentence").addEventListener("keydown", (event) => event.key === "Enter" && tagSentence());
  $("more").addEventListener("click", () => {
    if (!$("readings").hidden) openReadings(false);
    else attempt(async (signal) => showReadings(await understand(current.file, signal, READINGS)));
  });
  for (const id of ["waveform", "spectrogram", "posteriors"]) {
    $(id).addEventListener("click", (event) => {
      play((event.offsetX / event.target.clientWidth) * current.pictures.drawn_seconds);
    });
  }
  for (const name of ["play", "seeked", "pause"]) audio.addEventListener(name, tick);
  audio.addEventListener("error", () => {
    audio.hidden = true;
    $("audio-note").hidden = false;
  });
  new ResizeObserver(redraw).observe($("scroll"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
}

addDropping();
addListeners();
start();
