/*
 * The slides and their polls: which one is live, which one this viewer looks at, how many voted for what.
 */
talk.deck = (function (page) {
  var deck = { live: 0, at: 0, following: true, count: 0, slides: [], votes: {}, polls: {} }, i, all;

  /** The slide whose name in the protocol is id has the element "slide-" + id. */
  all = page.byId('stage').childNodes;
  for (i = 0; i < all.length; i++) {
    if (all[i].nodeType == 1 && page.has(all[i], 'slide')) {
      deck.slides.push({ id: all[i].id.substring(6), element: all[i], title: all[i].getElementsByTagName('h1')[0].firstChild.nodeValue });
    }
  }
  deck.count = deck.slides.length;

  /** Called with (index) when another slide is looked at. */
  deck.onchange = function () {};

  deck.here = function () { return deck.slides[deck.at]; };

  function draw() {
    var n;
    for (n = 0; n < deck.count; n++) { page.mark(deck.slides[n].element, 'now', n == deck.at); }
    deck.here().element.scrollTop = 0;
    page.text(page.byId('where'), (deck.at + 1) + ' / ' + deck.count);
    page.byId('done').style.width = 100 * (deck.at + 1) / deck.count + '%';
    page.byId('prev').disabled = deck.at === 0;
    page.byId('next').disabled = deck.at == deck.count - 1;
    page.press(page.byId('live'), deck.following);
    page.text(page.byId('livetext'), deck.following ? 'Following live' : 'Back to live: ' + (deck.live + 1));
    deck.onchange(deck.at);
  }

  /** The speaker turned to slide index. */
  deck.turn = function (index) {
    deck.live = Math.max(0, Math.min(index, deck.count - 1));
    if (deck.following) { deck.at = deck.live; }
    draw();
  };

  /** This viewer looks at slide index; anything but the live one ends the following. */
  deck.look = function (index) {
    deck.at = Math.max(0, Math.min(index, deck.count - 1));
    deck.following = deck.at == deck.live;
    draw();
  };

  deck.follow = function (on) {
    deck.following = on;
    if (on) { deck.at = deck.live; }
    draw();
  };

  // -- polls -----------------------------------------------------------------------------------------------------------

  function option(slide, n) { return page.byId('option-' + slide + '-' + n); }

  function child(element, className) {
    var spans = element.getElementsByTagName('span'), n;
    for (n = 0; n < spans.length; n++) {
      if (page.has(spans[n], className)) { return spans[n]; }
    }
  }

  /** Shows a poll as the server tells it: {slide, open, round, counts}. */
  deck.showPoll = function (poll) {
    var known = deck.polls[poll.slide], total = 0, most = 0, n, button, share, mine, box = page.byId('poll-' + poll.slide);
    if (!box) { return; }
    if (known && known.round != poll.round) { delete deck.votes[poll.slide]; }
    deck.polls[poll.slide] = poll;
    mine = deck.votes[poll.slide];
    for (n = 0; n < poll.counts.length; n++) {
      total += poll.counts[n];
      most = Math.max(most, poll.counts[n]);
    }
    for (n = 0; n < poll.counts.length; n++) {
      button = option(poll.slide, n);
      share = total ? Math.round(100 * poll.counts[n] / total) : 0;
      child(button, 'fill').style.width = share + '%';
      page.text(child(button, 'count'), poll.counts[n] ? poll.counts[n] + ' · ' + share + '%' : '0');
      page.mark(button, 'first', most && poll.counts[n] == most);
      page.press(button, mine === n);
      button.disabled = !poll.open;
    }
    page.mark(box, 'open', poll.open);
    page.text(child2(box), verdict(poll, total, mine));
    deck.onpoll(poll, total);
  };

  /** Called with (poll, votes) after a poll was shown. */
  deck.onpoll = function () {};

  function child2(box) { return box.getElementsByTagName('p')[0]; }

  function verdict(poll, total, mine) {
    var votes = page.plural(total, 'vote');
    if (!poll.open) { return total ? 'Closed with ' + votes + '.' : 'The poll is not open yet.'; }
    return votes + (mine === undefined ? '. Choose one.' : '. You may change your mind.');
  }

  /** vote(slide, option, done) sends a vote; done(answer). */
  deck.listen = function (vote) {
    var n, m;
    function listenTo(slide, number, button) {
      page.listen(button, 'click', function () {
        vote(slide, number, function (answer) {
          if (answer.error) { return page.text(child2(page.byId('poll-' + slide)), answer.error); }
          deck.votes[slide] = answer.option;
          deck.showPoll(answer.poll);
        });
      });
    }
    for (n = 0; n < deck.count; n++) {
      for (m = 0; option(deck.slides[n].id, m); m++) { listenTo(deck.slides[n].id, m, option(deck.slides[n].id, m)); }
    }
  };

  return deck;
})(talk);
