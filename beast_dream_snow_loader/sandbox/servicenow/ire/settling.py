"""The items of a payload, one after another: each waits for its host, and falls with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from beast_dream_snow_loader.sandbox.servicenow.ire import issues
from beast_dream_snow_loader.sandbox.servicenow.ire.companions import Companions, check_companions
from beast_dream_snow_loader.sandbox.servicenow.ire.identify import Host, Identifier
from beast_dream_snow_loader.sandbox.servicenow.ire.issues import Issue, ItemRefused
from beast_dream_snow_loader.sandbox.servicenow.ire.outcome import ItemOutcome
from beast_dream_snow_loader.sandbox.servicenow.ire.payload import Item
from beast_dream_snow_loader.sandbox.servicenow.ire.put_aside import used_up
from beast_dream_snow_loader.sandbox.servicenow.ire.reconcile import Reconciler, Setting
from beast_dream_snow_loader.sandbox.servicenow.ire.rules import IdentificationRule, RuleBook
from beast_dream_snow_loader.sandbox.servicenow.ire.wiring import Tie, Wiring
from beast_dream_snow_loader.sandbox.servicenow.records import Instance


class Settling:
    """``groups``: the items after merging, each with the reason why it is refused from the start, if any."""

    def __init__(
        self,
        instance: Instance,
        book: RuleBook,
        wiring: Wiring,
        setting: Setting,
        groups: Sequence[tuple[Item, Issue | None]],
    ) -> None:
        self._instance = instance
        self._book = book
        self._wiring = wiring
        self._setting = setting
        source = setting.wish.data_source
        self._identifier = Identifier(
            instance, setting.properties, source, higher_sys_ids=setting.options.higher_sys_ids
        )
        self._reconciler = Reconciler(instance, setting)
        self._companions = Companions(instance, source)
        self.outcomes = [ItemOutcome(item=item, class_name=item.class_name) for item, _ in groups]
        self._by_index = {index: outcome for outcome in self.outcomes for index in outcome.item.indices}
        self._refused = {item.index: issue for item, issue in groups if issue is not None}
        self._under_way: set[int] = set()
        self._settled: set[int] = set()

    def outcome_of(self, index: int) -> ItemOutcome:
        """Of the item at this index of the payload, or the one it was merged into."""
        return self._by_index[index]

    def settle(self, faults: Mapping[int, Issue]) -> None:
        """``faults``: items that fail although nothing is wrong with them."""
        self._refused = {**faults, **self._refused}
        for outcome in self.outcomes:
            self._settle(outcome)

    def _settle(self, outcome: ItemOutcome) -> None:
        item = outcome.item
        if item.index in self._settled:
            return
        self._under_way.add(item.index)
        try:
            self._one(item, outcome)
        except ItemRefused as refused:
            outcome.fail(*refused.issues)
        self._under_way.discard(item.index)
        self._settled.add(item.index)

    def _one(self, item: Item, outcome: ItemOutcome) -> None:
        rule = self._checked(item)
        host = None if rule.independent else self._host(item)
        found = self._identifier.identify(item, rule, host, outcome.attempts)
        if item.index in self._refused:
            raise ItemRefused(self._refused[item.index])
        self._reconciler.apply(item, found, outcome)
        outcome.entry = found.entry
        if found.stale or item.anchor:
            return
        outcome.subs = self._companions.store(item, rule, outcome.sys_id)
        self._reconciler.mark_source(item, outcome)
        used_up(self._instance, outcome)

    def _checked(self, item: Item) -> IdentificationRule:
        if item.broken or not item.class_name:
            raise ItemRefused(issues.unreadable_item(item.broken or "className is missing"))
        known = self._instance.choices(self._instance.fields("cmdb_ci")["discovery_source"])
        for source in item.sources:
            if source.name not in known:
                raise ItemRefused(issues.invalid_source(source.name))
        rule = self._book.rule_for(item.class_name)
        if rule is None or item.class_name not in self._instance.tables:
            raise ItemRefused(issues.rule_missing(item.class_name))
        check_companions(item, rule, self._setting.wish)
        return rule

    def _host(self, item: Item) -> Host:
        """The one host, settled first."""
        ties = [tie for index in item.indices for tie in self._wiring.ties(index)]
        self._check_ties(item, ties)
        tie = ties[0]
        outcome = self.outcome_of(tie.host)
        if outcome.item.index in self._under_way:
            raise ItemRefused(issues.qualification_loop(tie.link.relation.printed()))
        self._settle(outcome)
        source = self._setting.wish.data_source
        if outcome.failed:
            raise ItemRefused(issues.host_failed(item.printed(source), outcome.item.printed(source)))
        return Host(sys_id=outcome.sys_id, class_name=outcome.class_name, tie=tie)

    def _check_ties(self, item: Item, ties: Sequence[Tie]) -> None:
        """Some rule must tie the item to just one host."""
        rules, source = self._book.hosts_of(item.class_name), self._setting.wish.data_source
        if not rules:
            raise ItemRefused(issues.metadata_rule_missing(item.class_name, item.printed(source)))
        if not ties:
            listed = [str(rule) for rule in rules]
            raise ItemRefused(issues.dependency_missing(item.class_name, listed, item.printed(source)))
        hosts = sorted({self.outcome_of(tie.host).item.index for tie in ties})
        if len(hosts) > 1:
            one, other = (self.outcome_of(index).item.printed(source) for index in hosts[:2])
            raise ItemRefused(issues.several_hosts(one, other))
