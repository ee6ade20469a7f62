(function () {
  'use strict';
  var doc = document, root = doc.documentElement;
  var byId = function (id) { return doc.getElementById(id); };
  var all = function (query, from) { return Array.prototype.slice.call((from || doc).querySelectorAll(query)); };
  var record = null;
  function run() {
    if (!record) record = JSON.parse(byId('annvil-run').textContent);
    return record;
  }
  function value(cells, row, at) {
    var v = cells.rows[row][at];
    return v !== null && cells.coded.indexOf(cells.fields[at]) >= 0 ? cells.texts[v] : v;
  }
  function cellField(row, name) {
    var cells = run().cells, at = cells.fields.indexOf(name);
    return at < 0 || !cells.rows[row] ? '' : value(cells, row, at);
  }
  function plainRun() {
    var packed = run(), plain = Object.assign({}, packed);
    plain.cells = packed.cells.rows.map(function (_, row) {
      var cell = {};
      packed.cells.fields.forEach(function (name, at) { cell[name] = value(packed.cells, row, at); });
      return cell;
    });
    return plain;
  }

  var themes = ['as the system', 'light', 'dark'], theme = 0, button = byId('theme');
  function keep(value) { try { if (value === undefined) return localStorage.getItem('annvil-theme'); localStorage.setItem('annvil-theme', value); } catch (e) { return null; } }
  function paint() {
    if (theme) root.setAttribute('data-theme', themes[theme]); else root.removeAttribute('data-theme');
    button.textContent = 'Colours: ' + themes[theme];
  }
  theme = Math.max(0, themes.indexOf(keep()));
  paint();
  button.addEventListener('click', function () { theme = (theme + 1) % 3; paint(); keep(themes[theme]); });

  function copy(text, from) {
    function done(ok) {
      from.textContent = ok ? 'copied' : 'failed';
      setTimeout(function () { from.textContent = 'copy'; }, 1500);
    }
    function old() {
      var area = doc.createElement('textarea'), ok = false;
      area.value = text; area.style.position = 'fixed'; doc.body.appendChild(area); area.select();
      try { ok = doc.execCommand('copy'); } catch (e) { ok = false; }
      area.remove(); from.focus(); done(ok);
    }
    if (navigator.clipboard && window.isSecureContext) navigator.clipboard.writeText(text).then(function () { done(true); }, old); else old();
  }
  doc.addEventListener('click', function (event) {
    var from = event.target;
    if (!from.classList || !from.classList.contains('copy')) return;
    var row = from.closest('tr');
    if (row.dataset.w !== undefined) copy(run().workloads[row.dataset.w].command, from);
    else copy(cellField(row.dataset.i, 'command'), from);
  });

  var table = byId('rows');
  if (table) {
    var body = table.tBodies[0], rows = all('tr', body), heads = all('thead th', table);
    rows.forEach(function (row) {
      var cell = row.insertCell(), b = doc.createElement('button');
      b.type = 'button'; b.className = 'copy'; b.textContent = 'copy';
      b.setAttribute('aria-label', 'Copy the command of ' + row.cells[0].textContent + ' ' + row.cells[5].textContent + ' at ' + row.cells[1].textContent);
      cell.appendChild(b);
    });
    var key = function (row, col) {
      if (col === 13) return 100 / parseFloat(row.cells[14].textContent);
      var text = row.cells[col].textContent, number = parseFloat(text);
      return /^[-+]?[0-9.]/.test(text) && !isNaN(number) ? number : text;
    };
    var compare = function (a, b) {
      var x = typeof a === 'number', y = typeof b === 'number';
      if (x && y) return (isNaN(a) - isNaN(b)) || a - b;
      if (x !== y) return x ? -1 : 1;
      return a < b ? -1 : a > b ? 1 : 0;
    };
    heads.forEach(function (head, col) {
      var b = head.querySelector('button');
      if (!b) return;
      b.disabled = false;
      b.addEventListener('click', function () {
        var down = head.getAttribute('aria-sort') === 'ascending', keyed;
        heads.forEach(function (h) { if (h.hasAttribute('aria-sort')) h.setAttribute('aria-sort', 'none'); });
        head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
        keyed = rows.map(function (row, i) { return [key(row, col), i, row]; });
        keyed.sort(function (a, b) {
          if (typeof a[0] !== typeof b[0]) return compare(a[0], b[0]);
          return (down ? -1 : 1) * compare(a[0], b[0]) || a[1] - b[1];
        });
        keyed.forEach(function (k) { body.appendChild(k[2]); });
      });
    });
    var form = byId('filters'), find = byId('find'), selects = all('select', form), shown = byId('shown');
    var texts = rows.map(function (row) { return row.textContent.toLowerCase(); });
    var filter = function () {
      var words = find.value.toLowerCase().split(/\s+/).filter(Boolean), n = 0;
      rows.forEach(function (row, i) {
        var keepIt = words.every(function (w) { return texts[i].indexOf(w) >= 0; }) && selects.every(function (s) {
          return !s.value || row.cells[s.dataset.col].textContent === s.value;
        });
        row.hidden = !keepIt;
        n += keepIt;
      });
      shown.textContent = n + ' of ' + rows.length + ' rows';
    };
    form.addEventListener('input', filter);
    form.addEventListener('submit', function (event) { event.preventDefault(); });
    form.addEventListener('reset', function () { setTimeout(filter, 0); });
    filter();
    var reveal = function () {
      var to = /^#c[0-9]+$/.test(location.hash) && byId(location.hash.slice(1));
      if (to && to.hidden) { form.reset(); setTimeout(function () { filter(); to.scrollIntoView(); }, 0); }
    };
    window.addEventListener('hashchange', reveal);
  }

  byId('download').addEventListener('click', function () {
    var url = URL.createObjectURL(new Blob([JSON.stringify(plainRun(), null, 2) + '\n'], { type: 'application/json' }));
    var link = doc.createElement('a');
    link.href = url; link.download = 'results.json';
    doc.body.appendChild(link); link.click(); link.remove();
    setTimeout(function () { URL.revokeObjectURL(url); }, 1000);
    byId('said').textContent = 'Saved as results.json';
  });
  all('.js').forEach(function (e) { e.hidden = false; });
})();
