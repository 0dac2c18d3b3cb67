// For an analyst's browser: select an address or a name on any page, click, and it is on the list. Put your node's URL
// in, make one line of it, and save it as a bookmark. The browser asks for the account's name and password once.
javascript:(() => {
  const node = 'https://node1.example';
  const value = prompt('Put on the block list:', String(getSelection()).trim());
  if (!value) return;
  const kind = /^[\d.]+(\/\d+)?$|:.*:/.test(value) ? 'ip' : /^https?:\/\//.test(value) ? 'url' : 'domain';
  const form = document.createElement('form');
  Object.assign(form, { method: 'POST', action: node + '/' + kind + '/add', target: '_blank' });
  for (const [name, text] of Object.entries({ value, comment: 'seen at ' + location.hostname })) {
    form.append(Object.assign(document.createElement('input'), { type: 'hidden', name, value: text }));
  }
  document.body.append(form);
  form.submit();
  form.remove();
})();
