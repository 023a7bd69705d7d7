
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('alerts', '0006_cards_guards'),
        ('auth', '0012_alter_user_first_name_max_length'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='draft',
            options={'ordering': ['-pk'], 'permissions': [('write_draft', 'Can write and submit alerts'), ('approve_draft', 'Can approve alerts'), ('break_glass', 'Can release an alert alone (break-glass)'), ('open_gate', 'Can open the gate by hand'), ('lead_drill', 'Can start a drill')], 'verbose_name': 'draft', 'verbose_name_plural': 'drafts'},
        ),
        migrations.CreateModel(
            name='Profile',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('phone', models.CharField(blank=True, max_length=20, verbose_name='mobile phone')),
                ('drill_reminded_at', models.DateTimeField(editable=False, null=True)),
                ('officer', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='profile', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'profile',
                'verbose_name_plural': 'profiles',
            },
        ),
        migrations.CreateModel(
            name='Sitting',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('session', models.CharField(max_length=64, unique=True)),
                ('agent', models.CharField(blank=True, max_length=200)),
                ('factor', models.CharField(blank=True, max_length=40)),
                ('began_at', models.DateTimeField(auto_now_add=True)),
                ('seen_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(null=True)),
                ('officer', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='sittings', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'sitting',
                'verbose_name_plural': 'sittings',
                'ordering': ['-began_at'],
            },
        ),
        migrations.CreateModel(
            name='Call',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('round', models.PositiveIntegerField()),
                ('kind', models.CharField(choices=[('submitted', 'Waits for approval'), ('returned', 'Returned'), ('released', 'Released'), ('lapsed', 'Lapsed')], max_length=9)),
                ('made_at', models.DateTimeField(auto_now_add=True)),
                ('told_at', models.DateTimeField(null=True)),
                ('told', models.PositiveIntegerField(default=0)),
                ('words', models.TextField(blank=True)),
                ('draft', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='calls', to='alerts.draft')),
            ],
            options={
                'ordering': ['pk'],
                'constraints': [models.UniqueConstraint(fields=('draft', 'round', 'kind'), name='one_call_each')],
            },
        ),
        migrations.CreateModel(
            name='Reader',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('seen_at', models.DateTimeField()),
                ('wrote_at', models.DateTimeField(null=True)),
                ('draft', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='readers', to='alerts.draft')),
                ('officer', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('draft', 'officer'), name='one_reader_each')],
            },
        ),
        migrations.CreateModel(
            name='RoleRequest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('asked_at', models.DateTimeField(auto_now_add=True)),
                ('reason', models.TextField(blank=True, verbose_name='reason')),
                ('decision', models.CharField(choices=[('open', 'Waits for a second administrator'), ('given', 'Given'), ('refused', 'Refused'), ('withdrawn', 'Taken back')], default='open', max_length=9)),
                ('decided_at', models.DateTimeField(null=True)),
                ('asked_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('decided_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('officer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='role_requests', to=settings.AUTH_USER_MODEL)),
                ('role', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='auth.group')),
            ],
            options={
                'verbose_name': 'role asked for',
                'verbose_name_plural': 'roles asked for',
                'ordering': ['-pk'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('decision', 'open')), fields=('officer', 'role'), name='one_open_request_per_role'), models.CheckConstraint(condition=models.Q(('asked_by', models.F('officer')), _negated=True), name='nobody_asks_for_himself'), models.CheckConstraint(condition=models.Q(models.Q(('decided_by__isnull', True), ('decision', 'open')), models.Q(('decided_by__isnull', False), ('decision', 'withdrawn')), models.Q(('decided_by__isnull', False), ('decision__in', ['given', 'refused']), models.Q(('decided_by', models.F('asked_by')), _negated=True), models.Q(('decided_by', models.F('officer')), _negated=True)), _connector='OR'), name='a_second_one_decides')],
            },
        ),
        migrations.CreateModel(
            name='TemplateVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('kind', models.CharField(choices=[('warning', 'Warning'), ('update', 'Update'), ('correction', 'Correction'), ('false-alarm', 'False alarm'), ('all-clear', 'All-clear')], max_length=12)),
                ('names', models.JSONField(default=dict)),
                ('content_json', models.JSONField(default=dict)),
                ('at', models.DateTimeField()),
                ('note', models.CharField(blank=True, max_length=200)),
                ('by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('template', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='versions', to='alerts.template')),
            ],
            options={
                'verbose_name': 'version of a template',
                'verbose_name_plural': 'versions of templates',
                'ordering': ['template', '-number'],
                'constraints': [models.UniqueConstraint(fields=('template', 'number'), name='template_versions_count_up')],
            },
        ),
    ]
