/** The settings in SillyTavern's list of extensions. */

import { Refused } from './server.js';

/**
 * @param {object} settings What is set; changed in place.
 * @param {object} actions What its buttons do.
 * @returns {Promise<{chatOpened: () => void, told: (state: object) => void}>} What it wants to hear of.
 */
export async function showSettings(settings, actions) {
    const page = await fetch(new URL('./settings.html', import.meta.url));
    const template = document.createElement('template');
    template.innerHTML = await page.text(); // ours, without a word of anybody's chat
    document.getElementById('extensions_settings2').append(template.content);

    const byId = (id) => document.getElementById(`romaine_${id}`);
    const status = byId('status');
    for (const field of document.querySelectorAll('#romaine_settings [data-setting]')) {
        const name = field.dataset.setting;
        const kind = field.type === 'checkbox' ? 'checked' : 'value';
        field[kind] = settings[name];
        field.addEventListener('change', () => {
            const isNumber = field.type === 'number';
            if (isNumber && (field.value === '' || !field.checkValidity())) field.value = settings[name];
            settings[name] = isNumber ? Number(field.value) : field[kind];
            actions.settingsChanged(name);
        });
    }
    const chatOn = byId('chat_on');
    chatOn.addEventListener('change', () => actions.switchChat(chatOn.checked));
    byId('again').addEventListener('click', () => actions.sendAgain());
    byId('show').addEventListener('click', () => actions.showPanel());
    byId('test').addEventListener('click', async () => {
        status.textContent = 'Asking…';
        try {
            const scopes = await actions.test();
            const memories = scopes.reduce((sum, each) => sum + each.memories, 0);
            status.textContent = `It answers: ${memories} memories in ${scopes.length} places.`;
        } catch (error) {
            const hint = 'Is it started, and with --cors localhost, or with the address of this page?';
            status.textContent = error instanceof Refused ? error.message : `No answer from ${settings.address}. ${hint}`;
        }
    });
    chatOn.checked = actions.isOnHere();
    return {
        chatOpened: () => {
            chatOn.checked = actions.isOnHere();
        },
        told: ({ is, done, total, said }) => {
            const words = {
                idle: 'All that was said is in the memory.',
                sending: `Sending: ${done} of ${total} messages.`,
                away: `The memory does not answer; ${total} messages wait.`,
                refused: said,
            };
            status.textContent = words[is];
        },
    };
}
