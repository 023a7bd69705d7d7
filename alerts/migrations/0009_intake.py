
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('alerts', '0008_roles_and_guards'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Partner',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=80, unique=True, verbose_name='name')),
                ('statuses', models.JSONField(default=list, verbose_name='statuses')),
                ('areas', models.JSONField(blank=True, default=list, verbose_name='districts')),
                ('categories', models.JSONField(blank=True, default=list, verbose_name='kinds of danger')),
                ('active', models.BooleanField(default=True, verbose_name='in use')),
                ('made_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'verbose_name': 'partner',
                'verbose_name_plural': 'partners',
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='Source',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=80, unique=True, verbose_name='name')),
                ('kind', models.CharField(choices=[('atom', 'Atom or RSS with CAP'), ('cap', 'A CAP document'), ('nina', 'NINA (api31)')], max_length=4, verbose_name='kind')),
                ('url', models.URLField(max_length=500, verbose_name='address')),
                ('seconds', models.PositiveIntegerField(default=60, verbose_name='asked every so many seconds')),
                ('least', models.CharField(choices=[('Extreme', 'Extreme danger'), ('Severe', 'Great danger'), ('Moderate', 'Medium danger'), ('Minor', 'Low danger'), ('Unknown', 'Danger not known')], default='Minor', max_length=8, verbose_name='least severity')),
                ('events', models.JSONField(blank=True, default=list, verbose_name='events')),
                ('whole_world', models.BooleanField(default=False, verbose_name='also outside the city')),
                ('escalate', models.PositiveIntegerField(default=10, verbose_name='minutes until officers are called')),
                ('active', models.BooleanField(default=True, verbose_name='in use')),
                ('etag', models.CharField(blank=True, editable=False, max_length=200)),
                ('modified', models.CharField(blank=True, editable=False, max_length=60)),
                ('asked_at', models.DateTimeField(editable=False, null=True)),
                ('due_at', models.DateTimeField(editable=False, null=True)),
                ('failures', models.PositiveIntegerField(default=0, editable=False)),
                ('words', models.CharField(blank=True, editable=False, max_length=300)),
                ('lease', models.CharField(blank=True, editable=False, max_length=32)),
                ('lease_until', models.DateTimeField(editable=False, null=True)),
            ],
            options={
                'verbose_name': 'source',
                'verbose_name_plural': 'sources',
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='PartnerToken',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.CharField(max_length=64, unique=True)),
                ('head', models.CharField(max_length=8)),
                ('made_at', models.DateTimeField(auto_now_add=True)),
                ('used_at', models.DateTimeField(null=True)),
                ('ended_at', models.DateTimeField(null=True)),
                ('partner', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='tokens', to='alerts.partner')),
            ],
            options={
                'ordering': ['-pk'],
            },
        ),
        migrations.CreateModel(
            name='Intake',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('way', models.CharField(choices=[('mail', 'E-mail'), ('cap', 'CAP document')], max_length=4)),
                ('state', models.CharField(choices=[('waiting', 'Waits to be read'), ('taken', 'Taken'), ('refused', 'Refused'), ('ignored', 'Not for us')], default='waiting', max_length=8)),
                ('arrived_at', models.DateTimeField(auto_now_add=True)),
                ('received_at', models.DateTimeField()),
                ('sender', models.CharField(blank=True, max_length=254)),
                ('key', models.CharField(blank=True, max_length=255)),
                ('sha256', models.CharField(max_length=64)),
                ('size', models.PositiveIntegerField()),
                ('raw', models.BinaryField(null=True)),
                ('words', models.TextField(blank=True)),
                ('reply', models.TextField(blank=True)),
                ('reply_to', models.CharField(blank=True, max_length=254)),
                ('answered_at', models.DateTimeField(null=True)),
                ('tries', models.PositiveIntegerField(default=0)),
                ('lease', models.CharField(blank=True, max_length=32)),
                ('lease_until', models.DateTimeField(null=True)),
                ('done_at', models.DateTimeField(null=True)),
                ('draft', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='intakes', to='alerts.draft')),
                ('officer', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('partner', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='alerts.partner')),
            ],
            options={
                'verbose_name': 'intake',
                'verbose_name_plural': 'intakes',
                'ordering': ['-pk'],
                'indexes': [models.Index(fields=['state', 'lease_until'], name='intake_by_state'), models.Index(fields=['way', 'key'], name='intake_by_key'), models.Index(fields=['way', 'sender', 'arrived_at'], name='intake_by_sender')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('state', 'taken'), models.Q(('key', ''), _negated=True)), fields=('way', 'key'), name='one_intake_taken_each')],
            },
        ),
        migrations.CreateModel(
            name='Incoming',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('identifier', models.CharField(max_length=255)),
                ('sender', models.CharField(blank=True, max_length=255)),
                ('event', models.CharField(db_index=True, max_length=255)),
                ('sent', models.DateTimeField()),
                ('expires', models.DateTimeField(null=True)),
                ('msg_type', models.CharField(choices=[('Alert', 'Alert'), ('Update', 'Update'), ('Cancel', 'Cancel')], max_length=6)),
                ('status', models.CharField(choices=[('Actual', 'Actual'), ('Exercise', 'Exercise'), ('Test', 'Test')], default='Actual', max_length=8)),
                ('severity', models.CharField(choices=[('Extreme', 'Extreme danger'), ('Severe', 'Great danger'), ('Moderate', 'Medium danger'), ('Minor', 'Low danger'), ('Unknown', 'Danger not known')], max_length=8)),
                ('headline', models.CharField(max_length=300)),
                ('area', models.CharField(blank=True, max_length=300)),
                ('signature', models.CharField(blank=True, max_length=8)),
                ('content_json', models.JSONField(default=dict)),
                ('raw', models.TextField(blank=True)),
                ('state', models.CharField(choices=[('new', 'Not acknowledged yet'), ('seen', 'Acknowledged'), ('drafted', 'Became a draft'), ('overtaken', 'Overtaken by a newer one')], default='new', max_length=9)),
                ('came_at', models.DateTimeField(auto_now_add=True)),
                ('seen_at', models.DateTimeField(null=True)),
                ('escalated_at', models.DateTimeField(null=True)),
                ('draft', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='incoming', to='alerts.draft')),
                ('seen_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('source', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='items', to='alerts.source')),
            ],
            options={
                'verbose_name': 'incoming warning',
                'verbose_name_plural': 'incoming warnings',
                'ordering': ['-sent', '-pk'],
                'indexes': [models.Index(fields=['state', 'came_at'], name='incoming_by_state')],
                'constraints': [models.UniqueConstraint(fields=('source', 'identifier'), name='one_item_each')],
            },
        ),
    ]
