/**
 * Romaine's memory in SillyTavern: what is said goes to the server, and what fits comes back into the prompt.
 *
 * This file knows SillyTavern; the others know its messages, or its theme.
 */

import { idsOf, turnsOf } from './messages.js';
import { Outbox } from './outbox.js';
import { Panel } from './panel.js';
import { asked, firstThatFits, telling, written } from './prompt.js';
import { Away, Server } from './server.js';
import { showSettings } from './settings.js';
import { Store } from './store.js';

const PROMPT = 'romaine_memory';
/** Milliseconds that nothing changes before changes are sent, and that an answer waits for the memory. */
const QUIET = 400;
const PATIENCE = 5_000;
const LAST_CHANGES = 1_500;
/** Hits at most, whatever the budget. */
const HITS = 10;
/** Messages sent together of which is told how far it is. */
const MANY = 20;

const DEFAULTS = {
    on: true,
    address: 'http://127.0.0.1:8077',
    key: '',
    user: '',
    budget: 600,
    messages: 3,
    sure: true,
    hidden: false,
    where: 1,
    depth: 4,
    role: 0,
    template: '[What was said long before and may matter now:\n{{memories}}]',
};

const store = new Store();
const panel = new Panel({ pin, forget });
const chip = Object.assign(document.createElement('div'), { className: 'romaine-chip', hidden: true });
let settings;
let server;
let outbox;
let shown; // the settings' fields
let opened = null; // the chat that SillyTavern has told to be open and whole
let timer = 0;
let started; // what kind of generation runs; SillyTavern 1.12 does not tell its interceptors
let recalled = null; // the last recall: its scope, and what it found
let state = 'idle';
const told = new Set();

const app = () => SillyTavern.getContext();

/** What the chat's file keeps of us: its name at that time, whether it is left out, what was forgotten. */
function notes() {
    const metadata = app().chatMetadata;
    metadata.romaine ??= {};
    return metadata.romaine;
}

function isOn() {
    return settings.on && !notes().off;
}

/** Where the open chat's turns go, or null if there is no chat. */
function place() {
    const context = app();
    const chat = context.getCurrentChatId();
    if (!chat || chat !== opened || !context.chat.length) return null;
    const group = context.groups.find((each) => each.id === context.groupId);
    // what is said in a group is no one character's: those who were there are named
    const character = group ? undefined : context.characters[context.characterId]?.name;
    if (!group && !character) return null;
    const kept = notes();
    if (kept.chat !== chat) {
        // a branch's file begins as a copy of the other chat's, notes and all; a renamed chat's is that file
        kept.origin = kept.chat ?? context.chatMetadata.main_chat;
        kept.chat = chat;
    }
    const scope = server.scope({ character, chat });
    return {
        key: JSON.stringify([server.address, scope.user, character, chat]),
        address: server.address,
        scope,
        origin: kept.origin,
        present: group ? presentIn(group, context) : [],
    };
}

function presentIn(group, { characters, name1 }) {
    const there = group.members.filter((avatar) => !group.disabled_members.includes(avatar));
    const names = there.map((avatar) => characters.find((each) => each.avatar === avatar)?.name);
    return [name1, ...names].filter(Boolean);
}

/** Who says what has no name, and whom {{char}} stands for. */
function names() {
    const { name1, name2, characters, characterId, groupId } = app();
    return { user: name1, character: groupId ? name2 : (characters[characterId]?.name ?? name2) };
}

// --- what is said goes to the memory -----------------------------------------------------------------------

function changed() {
    clearTimeout(timer);
    timer = setTimeout(look, QUIET);
}

/** Whether an answer is being written, and the last message is not what it will be. */
function isWriting() {
    const stop = document.getElementById('mes_stop');
    return Boolean(stop) && getComputedStyle(stop).display !== 'none';
}

async function look() {
    if (isWriting()) changed();
    else await compare();
}

/** Sends what the chat shows and the memory has otherwise. */
async function compare() {
    const here = isOn() && place();
    if (!here) return;
    const options = { hidden: settings.hidden, forgotten: notes().forgotten ?? [] };
    await outbox.see(here, turnsOf(app().chat, names(), options));
}

async function chatOpened() {
    opened = app().getCurrentChatId() ?? null;
    recalled = null;
    panel.take(null);
    inject('');
    shown?.chatOpened();
    const here = isOn() && place();
    if (!here) return;
    try {
        await outbox.check(here);
    } catch {
        // the server is away or refuses; sending tells of it
    }
    changed();
}

// --- what fits comes into the prompt -----------------------------------------------------------------------

function inject(text) {
    const { where, depth, role } = settings;
    app().setExtensionPrompt(PROMPT, text, Number(where), Number(depth), false, Number(role));
}

/** SillyTavern calls this before it puts a prompt together. It must not fail: chatting goes on. */
async function recall(chat, contextSize, _abort, type = started) {
    if (type === 'quiet') return;
    inject('');
    recalled = null;
    const here = isOn() && place();
    if (!here) return;
    const query = asked(chat, settings.messages);
    if (!query.length) return;
    try {
        const isAway = state === 'away'; // nobody waits for it then
        const patience = new Promise((done) => setTimeout(done, isAway ? 0 : LAST_CHANGES));
        await Promise.race([compare(), patience]);
        const scope = server.scope({ character: speaking(), chat: here.scope.chat });
        const found = await server.post(
            '/recall',
            {
                scope,
                query,
                k: HITS,
                token_budget: Number(settings.budget),
                min_score: settings.sure ? 'auto' : null,
                order: 'chronological',
                without_sources: inPrompt(contextSize),
                explain: true,
            },
            isAway ? LAST_CHANGES : PATIENCE,
        );
        const hits = settings.sure ? telling(found.hits) : found.hits;
        recalled = { ...found, hits, scope, query: query.at(-1), note: '' };
        if (hits.length) inject(written(hits, settings.template));
    } catch (error) {
        const note = `Nothing was recalled: ${error.message}`;
        recalled = { hits: [], rejected: [], query: query.at(-1), note };
        tell({ is: error instanceof Away ? 'away' : 'refused', said: error.message });
        outbox.send();
    }
    panel.take(recalled);
}

/** Who answers: the open character, or in a group the one whose turn it is. */
function speaking() {
    const { characters, characterId, name2 } = app();
    return characters[characterId]?.name ?? name2;
}

/** Ids of messages that the prompt has anyway, and of the one that is being replaced. */
function inPrompt(contextSize) {
    const { chat, chatMetadata } = app();
    const ids = idsOf(chat, names());
    const line = document.querySelector('#chat .lastInContext')?.getAttribute('mesid');
    const first = Number(line ?? chatMetadata.lastInContextMessageId ?? firstThatFits(chat, contextSize));
    // what is asked with is never an answer, and neither is a swipe that is being replaced
    return ids.slice(Math.min(first, Math.max(0, ids.length - settings.messages - 1))).slice(-10_000);
}

async function ended() {
    started = undefined;
    inject('');
    changed();
    if (!recalled?.hits.length) return;
    const ids = recalled.hits.map((hit) => hit.memory.id);
    const { scope } = recalled;
    recalled = { ...recalled, hits: [] }; // once; the panel keeps its own
    await server.post('/mark_used', { scope, ids }).catch(() => {});
}

// --- what the user does ------------------------------------------------------------------------------------

async function pin(memory) {
    const act = memory.pinned ? 'unpin' : 'pin';
    const { scope } = panel.recalled;
    memory.pinned = (await server.post(`/memories/${memory.id}/${act}`, { scope })).pinned;
}

async function forget(memory) {
    await server.post('/forget', { scope: panel.recalled.scope, ids: [memory.id] });
    if (memory.source_id) {
        // the message still stands in the chat, and must not come back from there
        notes().forgotten = [...(notes().forgotten ?? []), memory.source_id];
        await app().saveMetadata();
    }
    changed();
}

async function switchChat(isOnHere) {
    notes().off = !isOnHere;
    await app().saveMetadata();
    await chatOpened();
}

async function sendAgain() {
    const here = isOn() && place();
    if (!here) return;
    await outbox.again(here);
    await compare();
}

/** Says how it goes, each thing once until it is over. */
function tell({ is, done = 0, total = 0, said = '' }) {
    const isNews = is !== state && is !== 'sending';
    if (is === 'away' && isNews) {
        toastr.warning('The memory does not answer. Chatting goes on; what is said now is sent later.', 'Romaine');
    } else if (is === 'idle' && state === 'away') {
        toastr.success('The memory is back, and has all that was said.', 'Romaine');
    } else if (is === 'refused' && !told.has(said)) {
        told.add(said);
        toastr.error(said, 'The memory refused', { escapeHtml: true });
    }
    if (is !== 'sending') state = is;
    chip.hidden = is !== 'sending' || total < MANY;
    chip.textContent = `Memory: ${done} of ${total} messages`;
    shown?.told({ is, done, total, said });
}

function connect() {
    outbox?.close();
    told.clear();
    state = 'idle';
    server = new Server(settings);
    outbox = new Outbox(store, server, tell);
    outbox.send(); // what waits since an earlier visit
}

function settingsChanged(name) {
    app().saveSettingsDebounced();
    if (['address', 'key', 'user'].includes(name)) connect();
    if (['address', 'key', 'user', 'on', 'hidden'].includes(name)) chatOpened();
}

function addToMenu() {
    const entry = document.createElement('div');
    entry.className = 'list-group-item flex-container flexGap5 interactable';
    entry.tabIndex = 0;
    entry.setAttribute('role', 'button');
    const icon = document.createElement('div');
    icon.className = 'fa-solid fa-seedling extensionsMenuExtensionButton';
    entry.append(icon, 'What was recalled');
    entry.addEventListener('click', () => panel.toggle());
    entry.addEventListener('keydown', (event) => {
        if (event.key === 'Enter') panel.toggle();
    });
    document.getElementById('extensionsMenu')?.append(entry);
}

async function begin() {
    const { extensionSettings, eventSource, eventTypes } = app();
    settings = extensionSettings.romaine = { ...DEFAULTS, ...extensionSettings.romaine };
    globalThis.romaineRecall = recall;
    chip.setAttribute('role', 'status');
    document.body.append(chip);
    connect();
    addToMenu();
    shown = await showSettings(settings, {
        settingsChanged,
        switchChat,
        sendAgain,
        isOnHere: () => !notes().off,
        showPanel: () => panel.show(),
        test: async () => (await new Server(settings).get('/scopes', { user: new Server(settings).user })).scopes,
    });
    const happens = (name, act) => eventTypes[name] && eventSource.on(eventTypes[name], act);
    happens('CHAT_CHANGED', chatOpened);
    for (const name of ['MESSAGE_SENT', 'MESSAGE_RECEIVED', 'MESSAGE_EDITED', 'MESSAGE_UPDATED']) happens(name, changed);
    for (const name of ['MESSAGE_DELETED', 'MESSAGE_SWIPED', 'MESSAGE_SWIPE_DELETED', 'GROUP_UPDATED']) happens(name, changed);
    happens('GENERATION_STARTED', (type, _options, isDry) => {
        if (!isDry) started = type;
    });
    happens('GENERATION_ENDED', ended);
    happens('GENERATION_STOPPED', ended);
    addEventListener('online', () => outbox.send());
    if (app().getCurrentChatId()) await chatOpened();
}

begin();
